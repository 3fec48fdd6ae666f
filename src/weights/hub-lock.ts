// One download of a file at a time, between processes: a lock file that is touched while its owner works. The lock of
// a process that is gone, or that has been silent for long, is taken over. It does not know what is downloaded.

import {
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeFolder } from "../base/files.ts";

const TOUCH_MS = 5_000;
const SILENT_MS = 60_000;
const LOOK_MS = 200;

/** Waits until the lock is free, takes it, runs `work` and gives it back; `waiting` is called at each look in vain. */
export async function withDownloadLock<T>(
  path: string,
  { signal, waiting }: { readonly signal: AbortSignal | undefined; readonly waiting: () => void },
  work: () => Promise<T>,
): Promise<T> {
  makeFolder(dirname(path));
  while (!tryTake(path)) {
    if (isLeft(path)) discard(path);
    else {
      waiting();
      await sleep(LOOK_MS, undefined, { signal });
    }
  }
  const touching = setInterval(() => touch(path), TOUCH_MS).unref();
  try {
    return await work();
  } finally {
    clearInterval(touching);
    rmSync(path, { force: true });
  }
}

function tryTake(path: string): boolean {
  let handle: number;
  try {
    handle = openSync(path, "wx");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  writeSync(handle, JSON.stringify({ pid: process.pid, host: hostname() }));
  closeSync(handle);
  return true;
}

/** Whether the owner is gone: its process on this machine, or any sign of life for a minute. */
function isLeft(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return false;
  if (Date.now() - stat.mtimeMs > SILENT_MS) return true;
  try {
    const owner = JSON.parse(readFileSync(path, "utf8")) as { pid?: unknown; host?: unknown };
    if (owner.host !== hostname() || typeof owner.pid !== "number") return false;
    process.kill(owner.pid, 0);
    return false;
  } catch (error) {
    // Half written or just gone: look again. ESRCH: no such process.
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

/** Moves a left lock away before it is removed; one that was taken meanwhile is put back. */
function discard(path: string): void {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
    if (isLeft(aside)) rmSync(aside, { force: true });
    else renameSync(aside, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

function touch(path: string): void {
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    // Taken away by hand: the download's own checks still hold.
  }
}

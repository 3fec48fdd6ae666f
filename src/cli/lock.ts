// One process at a time in a folder that is written: a lock file with the owner's process id. The lock of a process
// that is gone is taken over, so that a kill leaves nothing to clean up by hand. Knows nothing of what is written.

import {
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { UserError } from "../base/errors.ts";
import { makeFolder, removeLeftovers, writeFileAtomic } from "../base/files.ts";

type Owner = {
  readonly pid: number;
  readonly host: string;
  /** When the process began, in the kernel's count; `null` where that cannot be known. Ids are used again. */
  readonly started: string | null;
};

const LOCK = "lock";

/** Locks that this process holds: its own id in any other lock is that of an earlier process. */
const held = new Set<string>();

/** Runs `work` while no other codefudge writes in `folder`; `otherwise` is what to do instead of waiting. */
export async function withLock<T>(folder: string, otherwise: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, LOCK);
  takeLock(path, { folder, otherwise });
  try {
    removeLeftovers(folder);
    removeDeadLocks(folder);
    return await work();
  } finally {
    held.delete(path);
    rmSync(path, { force: true });
    removeEmpty(folder);
  }
}

/** Whether a process is at work in a folder now. */
export function isAtWorkIn(folder: string): boolean {
  const path = join(folder, LOCK);
  const owner = parseOwner(readOrEmpty(path));
  return owner !== undefined && isAtWork(owner, path);
}

function takeLock(path: string, { folder, otherwise }: { folder: string; otherwise: string }): void {
  makeLockFolder(folder);
  for (;;) {
    if (tryLock(path)) return void held.add(path);
    const text = readOrEmpty(path);
    const owner = parseOwner(text);
    if (owner && isAtWork(owner, path)) {
      const where = owner.host === hostname() ? "" : ` on ${owner.host}`;
      const stale = where === "" ? "" : `, or remove ${path} when nothing runs there`;
      throw new UserError(
        `Expected nobody else at work in ${folder}, found codefudge there as process ${owner.pid}${where}; wait until it ends, ${otherwise}${stale}`,
      );
    }
    discard(path, text);
  }
}

/** A write of ours says best why a folder cannot be made. */
function makeLockFolder(folder: string): void {
  try {
    makeFolder(folder);
  } catch {
    writeFileAtomic(join(folder, LOCK), "");
  }
}

// A hard link appears with its content already there, so that a lock is never seen half written.
function tryLock(path: string): boolean {
  const own = `${path}.${process.pid}`;
  const owner: Owner = { pid: process.pid, host: hostname(), started: startOf(process.pid) };
  writeFileAtomic(own, JSON.stringify(owner));
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    // A file system without links: the next best, which only fails when two begin at the same instant.
    if (existsSync(path)) return false;
    writeFileSync(path, JSON.stringify(owner), { flag: "wx" });
    return true;
  } finally {
    rmSync(own, { force: true });
  }
}

/** Moves a dead lock away; what another process has put in its place meanwhile is put back. */
function discard(path: string, text: string): void {
  const moved = `${path}.dead.${process.pid}`;
  try {
    renameSync(path, moved);
    if (readOrEmpty(moved) !== text) linkSync(moved, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "EEXIST") throw error;
  }
  rmSync(moved, { force: true });
}

/** What a kill left of a process that was taking a lock, or moving a dead one away. */
function removeDeadLocks(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = /^lock\.(?:dead\.)?(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(folder, name), { force: true });
  }
}

function isAtWork(owner: Owner, path: string): boolean {
  if (owner.host !== hostname()) return true;
  if (owner.pid === process.pid) return held.has(path);
  if (!isAlive(owner.pid)) return false;
  return owner.started === null || owner.started === startOf(owner.pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  // A killed process whose parent never asked after it stays listed for as long as the parent lives.
  return !/^[ZX]/.test(statOf(pid)[0] ?? "");
}

/** When a process began: field 22 of its stat. */
function startOf(pid: number): string | null {
  return statOf(pid)[19] ?? null;
}

/** Linux's /proc/PID/stat from field 3 on; the name in field 2 may hold anything, so counting begins behind it. */
function statOf(pid: number): string[] {
  const text = readOrEmpty(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

function parseOwner(text: string): Owner | undefined {
  try {
    const owner = JSON.parse(text) as Owner;
    return Number.isInteger(owner.pid) && owner.pid > 0 ? owner : undefined;
  } catch {
    return undefined;
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** A folder that was made for nothing goes again. */
function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // It has content, which is the usual case.
  }
}

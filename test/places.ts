// For tests only, loaded before the command line in a process that is to be killed: keeps on disk what the process is
// at, and may end it itself, with SIGKILL, at a place that no clock would hit: in the middle of a write, before or
// after a rename. Knows the program by the calls it makes and the events it prints, not from inside.

import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

/** `start` lasts until training begins; `result` is everything after the last checkpoint. */
export const placeNames = ["start", "step", "checkpoint", "rename", "removal", "result"] as const;

export type PlaceName = (typeof placeNames)[number];

const real = { ...fs };
const [file, aimed] = [process.env.CODEFUDGE_TEST_PLACE!, process.env.CODEFUDGE_TEST_KILL];
/** `PLACE COUNT before|after`: at the so-many-th call there. */
const [wanted, count, when] = aimed?.split(" ") ?? [];
const handle = real.openSync(file, "w");
const calls: Record<string, number> = {};
let place: PlaceName = "start";

function enter(name: PlaceName): void {
  place = name;
  real.writeSync(handle, name.padEnd(12), 0);
}

function end(): void {
  process.kill(process.pid, "SIGKILL");
  // The signal may take a moment.
  for (;;);
}

/** A call at a place: it may be the one before, in or after which the process ends. */
function call<T>(name: PlaceName, work: () => T): T {
  calls[name] = (calls[name] ?? 0) + 1;
  const isLast = name === wanted && calls[name] === Number(count);
  if (isLast && when === "before") end();
  const result = work();
  if (isLast) end();
  return result;
}

const opened = new Map<number, string>();

function placeOf(path: string): PlaceName {
  if (path.includes("checkpoint-")) return "checkpoint";
  return place === "step" && path.includes("tfevents") ? "step" : place === "start" ? "start" : "result";
}

type WriteArguments = [to: number, bytes: Uint8Array, offset?: number, length?: number, position?: number];

const hooks = {
  openSync(path: string, flags?: string | number, mode?: number): number {
    if (flags === undefined || flags === "r" || typeof flags === "number")
      return real.openSync(path, flags ?? "r", mode);
    const name = placeOf(path);
    enter(name);
    const made = call(name, () => real.openSync(path, flags, mode));
    opened.set(made, path);
    return made;
  },
  writeSync(...given: WriteArguments): number {
    const [to, bytes, offset = 0] = given;
    const path = opened.get(to);
    if (path === undefined) return real.writeSync(...given);
    const length = bytes.byteLength - offset;
    return call(placeOf(path), () =>
      // Half of what is to be written, then the rest in another call, as a disk may do it.
      real.writeSync(to, bytes, offset, length > 1 ? length >> 1 : length),
    );
  },
  renameSync(from: string, to: string): void {
    const before = place;
    enter("rename");
    call("rename", () => real.renameSync(from, to));
    enter(before);
  },
  rmSync(path: string, options?: fs.RmOptions): void {
    const before = place;
    enter("removal");
    call("removal", () => real.rmSync(path, options));
    enter(before);
  },
};

enter("start");
process.on("exit", () => real.writeFileSync(`${file}.json`, JSON.stringify(calls)));
Object.assign(fs, hooks);
syncBuiltinESMExports();

const write = process.stdout.write.bind(process.stdout);
process.stdout.write = ((text: string, ...rest: []) => {
  if (/"type":"(started|saved|step)"/.test(text)) enter("step");
  return write(text, ...rest);
}) as typeof process.stdout.write;

// Checkpoints: everything a run needs to go on as if it had never stopped. A checkpoint is a folder made under a
// temporary name and renamed, so one with its final name is whole; older ones go only when a newer one stands.

import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../base/errors.ts";
import { readJson, writeJson } from "../base/files.ts";
import { openSafetensors, writeSafetensors } from "../weights/safetensors.ts";
import type { AdamwState, Trained } from "./adamw.ts";

const STATE = "codefudge_state.json";
const ARRAYS = "trained.safetensors";
const OPTIMIZER = "optimizer.safetensors";

/** Where a run stands. Order of the data follows from seed and step, so no generator state is kept. */
export type Progress = {
  readonly step: number;
  /** Ids of real positions and of targets so far. */
  readonly tokens: number;
  readonly targets: number;
  /** Seconds of training so far, over all starts. */
  readonly seconds: number;
  /** Identifies options, data and base: a run goes on only from its own. */
  readonly identity: string;
  /** Loss of each step so far, for the curve. */
  readonly losses: readonly number[];
};

type Arrays = ReadonlyMap<string, Trained>;

/** Writes checkpoint-STEP and removes the older ones; one that stands already is that of this very step. */
export function writeCheckpoint(
  folder: string,
  progress: Progress,
  run: { trained: Arrays; adamw: AdamwState },
): string {
  const path = join(folder, `checkpoint-${progress.step}`);
  if (existsSync(path)) return path;
  const temporary = join(folder, `.checkpoint-${progress.step}.tmp`);
  try {
    rmSync(temporary, { recursive: true, force: true });
    writeSafetensors(join(temporary, ARRAYS), run.trained);
    writeSafetensors(join(temporary, OPTIMIZER), momentArrays(run));
    writeJson(join(temporary, STATE), progress);
    renameSync(temporary, path);
  } catch (error) {
    // On a full disk the unfinished one is what fills it.
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
  for (const name of checkpointNames(folder)) {
    if (join(folder, name) !== path) rmSync(join(folder, name), { recursive: true, force: true });
  }
  return path;
}

/** The newest checkpoint of a folder, its arrays put in place; `null` when there is none. */
export function readCheckpoint(
  folder: string,
  identity: string,
  run: { trained: Arrays; adamw: AdamwState },
): Progress | null {
  const name = checkpointNames(folder).at(-1);
  if (name === undefined) return null;
  const path = join(folder, name);
  const progress = readJson(join(path, STATE)) as Progress;
  if (progress.identity !== identity) {
    throw new UserError(
      `Expected the options, data and base with which ${path} was made, found others; use --run NAME for another run or --restart to begin again`,
    );
  }
  restore(join(path, ARRAYS), new Map([...run.trained].map(([key, array]) => [key, array.data])));
  restore(join(path, OPTIMIZER), new Map([...momentArrays(run)].map(([key, array]) => [key, array.data])));
  run.adamw.step = progress.step;
  return progress;
}

/** Whether there is a checkpoint to go on from. */
export function hasCheckpoint(folder: string): boolean {
  return checkpointNames(folder).length > 0;
}

/** Removes all checkpoints of a folder, whole ones and those that a kill left unfinished. */
export function removeCheckpoints(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    if (/^\.?checkpoint-\d+(\.tmp)?$/.test(name))
      rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/** Names of whole checkpoints, oldest first. */
function checkpointNames(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const step = (name: string) => Number(name.slice("checkpoint-".length));
  return readdirSync(folder)
    .filter((name) => /^checkpoint-\d+$/.test(name))
    .sort((a, b) => step(a) - step(b));
}

function momentArrays({ trained, adamw }: { trained: Arrays; adamw: AdamwState }) {
  return new Map(
    [...trained].flatMap(([name, { shape }]) => {
      const { first, second } = adamw.moments.get(name)!;
      return [
        [`exp_avg.${name}`, { shape, data: first }],
        [`exp_avg_sq.${name}`, { shape, data: second }],
      ] as const;
    }),
  );
}

function restore(path: string, into: ReadonlyMap<string, Float32Array>): void {
  const file = openSafetensors(path);
  try {
    for (const [name, data] of into) data.set(file.read(name));
  } finally {
    file.dispose();
  }
}

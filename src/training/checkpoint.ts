// Checkpoints: everything a run needs to go on as if it had never stopped. A checkpoint is a folder made under a
// temporary name and renamed, so one with its final name is whole; older ones go only when a newer one stands, and the
// one of the best held-out loss stays.

import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../base/errors.ts";
import { readJson, renameFolder, writeJson } from "../base/files.ts";
import { openSafetensors, writeSafetensors } from "../weights/safetensors.ts";
import { bestOf, type Progress } from "./progress.ts";
import type { OptimizerState, Trained } from "./trained.ts";

const STATE = "codefudge_state.json";
const ARRAYS = "trained.safetensors";
const OPTIMIZER = "optimizer.safetensors";
const TRAINER_STATE = "trainer_state.json";

type Arrays = ReadonlyMap<string, Trained>;

/** What a checkpoint is made of beside the progress. */
export type Checkpointed = {
  readonly trained: Arrays;
  readonly optimizer: OptimizerState;
  /** Content of trainer_state.json. */
  readonly told?: Readonly<Record<string, unknown>>;
  /** Newest checkpoints to keep; 1 when not given. */
  readonly limit?: number;
};

/** Writes checkpoint-STEP and removes those no longer wanted; of one that stands already only the progress is new. */
export function writeCheckpoint(folder: string, progress: Progress, run: Checkpointed): string {
  const path = join(folder, `checkpoint-${progress.step}`);
  if (existsSync(path)) {
    writeStates(path, progress, run);
  } else {
    writeNew(path, progress, run);
  }
  const kept = new Set(checkpointNames(folder).slice(-(run.limit ?? 1)));
  kept.add(`checkpoint-${bestOf(progress.evaluations)?.step ?? progress.step}`);
  for (const name of checkpointNames(folder)) {
    if (!kept.has(name)) rmSync(join(folder, name), { recursive: true, force: true });
  }
  return path;
}

function writeNew(path: string, progress: Progress, run: Checkpointed): void {
  const temporary = join(path, "..", `.checkpoint-${progress.step}.tmp`);
  try {
    rmSync(temporary, { recursive: true, force: true });
    writeSafetensors(join(temporary, ARRAYS), run.trained);
    writeSafetensors(join(temporary, OPTIMIZER), run.optimizer.arrays);
    writeStates(temporary, progress, run);
    renameFolder(temporary, path);
  } catch (error) {
    // On a full disk the unfinished one is what fills it.
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
}

function writeStates(path: string, progress: Progress, { told }: Checkpointed): void {
  if (told) writeJson(join(path, TRAINER_STATE), told);
  writeJson(join(path, STATE), progress);
}

/** The newest checkpoint of a folder, its arrays put in place; `null` when there is none. */
export function readCheckpoint(
  folder: string,
  identity: string,
  run: { readonly trained: Arrays; readonly optimizer: OptimizerState },
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
  restore(join(path, ARRAYS), run.trained);
  restore(join(path, OPTIMIZER), run.optimizer.arrays);
  run.optimizer.step = progress.step;
  return progress;
}

/** Puts what was trained at a step, whose checkpoint is kept, in place of what is. */
export function restoreTrained(folder: string, step: number, trained: Arrays): void {
  restore(join(folder, `checkpoint-${step}`, ARRAYS), trained);
}

/** How far an unfinished run is, by its newest checkpoint; `null` when there is none. */
export function findProgress(folder: string): Progress | null {
  const name = checkpointNames(folder).at(-1);
  return name === undefined ? null : (readJson(join(folder, name, STATE)) as Progress);
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

function restore(path: string, into: ReadonlyMap<string, { readonly data: Float32Array }>): void {
  const file = openSafetensors(path);
  try {
    for (const [name, { data }] of into) data.set(file.read(name));
  } finally {
    file.dispose();
  }
}

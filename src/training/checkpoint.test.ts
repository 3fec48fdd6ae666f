// A checkpoint is whole or not there: writing is interrupted after each of its files, and at the rename, and the run
// that comes after finds the older state or the newer one, never a mixture.

import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { UserError } from "../base/errors.ts";
import { createAdamw } from "./adamw.ts";
import { readCheckpoint, removeCheckpoints, restoreTrained, writeCheckpoint } from "./checkpoint.ts";
import { createProgress, type Progress } from "./progress.ts";
import type { Trained } from "./trained.ts";

const temporary = mkdtempSync(join(tmpdir(), "codefudge-checkpoint-"));
after(() => rmSync(temporary, { recursive: true }));
let folders = 0;
const freshFolder = () => join(temporary, String(folders++));

/** A run whose arrays and moments all hold `value`. */
function runOf(value: number) {
  const array = (shape: number[], count: number): Trained => ({
    shape,
    data: new Float32Array(count).fill(value),
    gradient: new Float32Array(count),
  });
  const trained = new Map([
    ["a", array([2, 3], 6)],
    ["b", array([4], 4)],
  ]);
  const optimizer = createAdamw(trained);
  for (const [name, { data }] of optimizer.arrays)
    data.fill(value + (name.startsWith("exp_avg.") ? 0.25 : 0.5));
  optimizer.step = value;
  return { trained, optimizer, told: { global_step: value } };
}

function progressOf(step: number, evaluations: Progress["evaluations"] = []): Progress {
  const done = {
    step,
    tokens: step * 10,
    targets: step,
    seconds: step / 3,
    losses: [0.1, step],
    evaluations,
  };
  return { ...createProgress("this run", 1), ...done };
}

const write = (folder: string, step: number) => writeCheckpoint(folder, progressOf(step), runOf(step));

/** What a run finds; all parts must be of one step. */
function found(folder: string): number | null {
  const run = runOf(-1);
  const progress = readCheckpoint(folder, "this run", run);
  if (progress === null) return null;
  assert.deepEqual(progress, progressOf(progress.step));
  const wanted = runOf(progress.step);
  for (const [name, { data }] of run.trained) assert.deepEqual(data, wanted.trained.get(name)!.data);
  assert.deepEqual(run.optimizer, wanted.optimizer);
  return progress.step;
}

test("what is written is read back, to the bit; older ones go", () => {
  const folder = freshFolder();
  assert.equal(found(folder), null);
  for (const step of [2, 9, 10]) {
    assert.equal(write(folder, step), join(folder, `checkpoint-${step}`));
    assert.equal(found(folder), step);
    assert.deepEqual(readdirSync(folder), [`checkpoint-${step}`]);
  }
});

test("the newest by number counts, not by name", () => {
  const folder = freshFolder();
  write(folder, 10);
  cpSync(join(folder, "checkpoint-10"), join(temporary, "kept"), { recursive: true });
  write(folder, 11);
  cpSync(join(temporary, "kept"), join(folder, "checkpoint-9"), { recursive: true });
  assert.equal(found(folder), 11);
});

test("a kill while the parts are written leaves the older one", () => {
  const complete = freshFolder();
  const parts = readdirSync(write(complete, 6));
  assert.equal(parts.length, 4);
  for (let count = 0; count <= parts.length; count++) {
    const folder = freshFolder();
    write(folder, 5);
    const unfinished = join(folder, ".checkpoint-6.tmp");
    mkdirSync(unfinished);
    for (const part of parts.slice(0, count)) {
      cpSync(join(complete, "checkpoint-6", part), join(unfinished, part));
    }
    writeFileSync(join(unfinished, ".0123456789ab.tmp"), "half a file");
    assert.equal(found(folder), 5);
    write(folder, 6);
    assert.equal(found(folder), 6);
    assert.deepEqual(readdirSync(folder), ["checkpoint-6"], "and the next one clears it away");
    assert.deepEqual(readdirSync(join(folder, "checkpoint-6")), parts);
  }
});

test("a disk that refuses the write leaves the older one", () => {
  const folder = freshFolder();
  write(folder, 5);
  const run = runOf(6);
  // The second of the four files cannot be written: its values do not fill its shape.
  const { shape, data } = run.optimizer.arrays.get("exp_avg_sq.b")!;
  const arrays = new Map(run.optimizer.arrays).set("exp_avg_sq.b", { shape, data: data.subarray(1) });
  const broken = { ...run, optimizer: { ...run.optimizer, arrays } };
  assert.throws(() => writeCheckpoint(folder, progressOf(6), broken), /values/);
  assert.equal(found(folder), 5);
});

test("a kill before older ones are removed, or while they are, leaves the newer one", () => {
  const folder = freshFolder();
  const older = join(temporary, "older");
  cpSync(write(folder, 5), older, { recursive: true });
  write(folder, 6);
  cpSync(older, join(folder, "checkpoint-5"), { recursive: true });
  assert.equal(found(folder), 6);
  for (const part of readdirSync(older)) {
    rmSync(join(folder, "checkpoint-5", part));
    assert.equal(found(folder), 6, `without ${part} of the older one`);
  }
  write(folder, 7);
  assert.deepEqual(readdirSync(folder), ["checkpoint-7"]);
});

test("saving the same step again, as an abort right after a resume does, never leaves nothing", () => {
  const folder = freshFolder();
  write(folder, 5);
  write(folder, 5);
  assert.equal(found(folder), 5);
});

test("the best stays while others go, and its arrays can be put back", () => {
  const folder = freshFolder();
  const losses = [5, 3, 4, 4, 2].map((loss, i) => ({ step: i + 1, loss }));
  const kept = losses.map(({ step }) => {
    writeCheckpoint(folder, progressOf(step, losses.slice(0, step)), runOf(step));
    return readdirSync(folder).map((name) => Number(name.split("-")[1]));
  });
  assert.deepEqual(kept, [[1], [2], [2, 3], [2, 4], [5]]);
  const run = runOf(-1);
  restoreTrained(folder, 5, run.trained);
  assert.deepEqual(run.trained, runOf(5).trained);
});

test("as many of the newest stay as were asked for", () => {
  const folder = freshFolder();
  for (const step of [8, 9, 10, 11]) {
    writeCheckpoint(folder, progressOf(step), { ...runOf(step), limit: 3 });
  }
  assert.deepEqual(readdirSync(folder).sort(), ["checkpoint-10", "checkpoint-11", "checkpoint-9"]);
});

test("what became known at a step after it was saved is added to its checkpoint", () => {
  const folder = freshFolder();
  write(folder, 5);
  const known = progressOf(5, [{ step: 5, loss: 1.5 }]);
  writeCheckpoint(folder, known, runOf(5));
  assert.deepEqual(readCheckpoint(folder, "this run", runOf(-1)), known);
});

test("a checkpoint of other options, data or base is refused, and left as it is", () => {
  const folder = freshFolder();
  write(folder, 5);
  const run = runOf(-1);
  assert.throws(
    () => readCheckpoint(folder, "another run", run),
    (error) => error instanceof UserError && /--restart/.test(error.message),
  );
  assert.deepEqual(run, runOf(-1));
  assert.equal(found(folder), 5);
});

test("removing takes whole and unfinished checkpoints and nothing else", () => {
  const folder = freshFolder();
  removeCheckpoints(folder);
  assert.ok(!existsSync(folder));
  write(folder, 5);
  mkdirSync(join(folder, ".checkpoint-6.tmp"));
  writeFileSync(join(folder, "notes-on-checkpoint-5"), "");
  removeCheckpoints(folder);
  assert.deepEqual(readdirSync(folder), ["notes-on-checkpoint-5"]);
  assert.equal(found(folder), null);
});

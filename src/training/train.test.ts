// The training loop on a tiny Llama: stopping and going on changes nothing, aborts keep what was done, clocks end
// runs, broken numbers stop them.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readPeft } from "../adapters/peft.ts";
import { UserError } from "../base/errors.ts";
import { defaultsOf } from "../base/options.ts";
import { createRandom } from "../base/random.ts";
import { createModel } from "../models/table.ts";
import { openFolder } from "../weights/folder.ts";
import type { WeightSource } from "../weights/source.ts";
import type { Sequence } from "./batch.ts";
import { Engine } from "./engine.ts";
import { type Resolved, resolveOptions, trainOptions } from "./options.ts";
import { type TrainEvent, type TrainRun, train } from "./train.ts";

const FOLDER = new URL("../../test/golden/llama/tied", import.meta.url).pathname;
const temporary = mkdtempSync(join(tmpdir(), "codefudge-train-"));
after(() => rmSync(temporary, { recursive: true }));
let folders = 0;

const random = createRandom(11);
const sequences: Sequence[] = Array.from({ length: 7 }, () => ({
  ids: Int32Array.from({ length: 6 + random.below(20) }, () => random.below(67)),
  promptLength: 3,
}));

type Kind = "adapter" | "all";

function openEngine(kind: Kind, read?: (source: WeightSource) => WeightSource["read"]): Engine {
  const source = openFolder(FOLDER);
  const adapter = kind === "adapter" ? readPeft(join(FOLDER, "adapter")) : null;
  return new Engine({
    model: createModel(source.config),
    read: read?.(source) ?? source.read,
    adapter,
    trainable: kind,
    device: { threads: 1, arena: true },
  });
}

const options: Resolved = {
  ...resolveOptions({ ...defaultsOf(trainOptions), max_steps: 6, save_steps: 2, eval_steps: 3 }, "adapter"),
  learning_rate: 1e-2,
  per_device_train_batch_size: 2,
  gradient_accumulation_steps: 2,
};

function runOf(engine: Engine, given: Partial<TrainRun> = {}): TrainRun {
  return {
    engine,
    sequences,
    validation: sequences.slice(0, 2),
    options,
    batch: 2,
    folder: join(temporary, String(folders++)),
    identity: "this run",
    signal: new AbortController().signal,
    ...given,
  };
}

/** Events of a run until `stop` says so; `stop` stands for a kill: nothing is done about it. */
async function collect(
  run: TrainRun,
  stop: (event: TrainEvent) => boolean = () => false,
): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of train(run)) {
    events.push(event);
    if (stop(event)) break;
  }
  return events;
}

const stepsOf = (events: readonly TrainEvent[]) => events.flatMap((e) => (e.type === "step" ? [e.step] : []));
const lossesOf = (events: readonly TrainEvent[]) =>
  events.flatMap((e) => (e.type === "step" ? [e.loss] : []));
const arraysOf = (engine: Engine) =>
  new Map([...engine.trained].map(([name, { data }]) => [name, data.slice()]));

for (const kind of ["adapter", "all"] as const) {
  test(`a run that is killed and aborted on its way ends as an undisturbed one, to the bit: ${kind}`, async () => {
    const undisturbed = runOf(openEngine(kind));
    const events = await collect(undisturbed);
    assert.deepEqual(stepsOf(events), [1, 2, 3, 4, 5, 6]);
    await undisturbed.engine.dispose();

    const { folder } = runOf(undisturbed.engine);
    const killed = runOf(openEngine(kind), { folder });
    await collect(killed, (event) => event.type === "step" && event.step === 3);
    await killed.engine.dispose();
    assert.deepEqual(readdirSync(folder), ["checkpoint-2"]);

    const abort = new AbortController();
    const aborted = runOf(openEngine(kind), { folder, signal: abort.signal });
    const again: TrainEvent[] = [];
    await assert.rejects(async () => {
      for await (const event of train(aborted)) {
        again.push(event);
        if (event.type === "step" && event.step === 5) abort.abort();
      }
    }, /abort/i);
    await aborted.engine.dispose();
    assert.deepEqual(stepsOf(again), [3, 4, 5]);
    assert.deepEqual(readdirSync(folder), ["checkpoint-5"]);

    const last = runOf(openEngine(kind), { folder });
    const rest = await collect(last);
    await last.engine.dispose();
    assert.deepEqual(stepsOf(rest), [6]);
    assert.deepEqual([...lossesOf(again), ...lossesOf(rest)], lossesOf(events).slice(2));
    assert.deepEqual(arraysOf(last.engine), arraysOf(undisturbed.engine));
    const finished = rest.at(-1)!;
    assert.ok(finished.type === "finished");
    assert.deepEqual(finished.progress.losses, lossesOf(events));
  });
}

test("events of a run, in order, and a loss that falls", async () => {
  const run = runOf(openEngine("adapter"), { options: { ...options, warmup_steps: 0 } });
  const events = await collect(run);
  await run.engine.dispose();
  assert.deepEqual(
    events.map((event) => ("step" in event ? `${event.type} ${event.step}` : event.type)),
    [
      "started 0",
      ...["step 1", "step 2", "saved 2", "step 3", "validated 3", "step 4", "saved 4", "step 5", "step 6"],
      ...["validated 6", "saved 6", "finished"],
    ],
  );
  const [first, second] = events.flatMap((event) => (event.type === "validated" ? [event.loss] : []));
  assert.ok(second! < first!, `${first}, then ${second}`);
});

test("a finished run that is started again does no step", async () => {
  const { folder } = runOf(openEngine("adapter"));
  const first = runOf(openEngine("adapter"), { folder });
  await collect(first);
  const second = runOf(openEngine("adapter"), { folder });
  const events = await collect(second);
  assert.deepEqual(
    events.map(({ type }) => type),
    ["started", "finished"],
  );
  assert.deepEqual(arraysOf(second.engine), arraysOf(first.engine));
  for (const { engine } of [first, second]) await engine.dispose();
});

test("a run by the clock ends, saves, and takes its time into account when it goes on", async () => {
  const engine = openEngine("adapter");
  const clocked = { ...options, max_steps: -1, time: 0.3, save_steps: 1000, eval_steps: null };
  const run = runOf(engine, { options: clocked });
  const events = await collect(run);
  const finished = events.at(-1)!;
  assert.ok(finished.type === "finished");
  assert.ok(finished.progress.step >= 1 && finished.progress.step < 1000, `${finished.progress.step} steps`);
  assert.deepEqual(readdirSync(run.folder), [`checkpoint-${finished.progress.step}`]);
  assert.ok(events.some(({ type }) => type === "validated"));
  const last = events.filter((event) => event.type === "step").at(-1)!;
  assert.ok(
    last.type === "step" && last.learning_rate < options.learning_rate,
    "the schedule follows the clock",
  );
  assert.deepEqual(stepsOf(await collect(run)), [], "its time is used up");
  await engine.dispose();
});

test("an abort before the first step leaves a checkpoint of step 0", async () => {
  const engine = openEngine("adapter");
  const run = runOf(engine, { signal: AbortSignal.abort() });
  await assert.rejects(collect(run), /abort/i);
  assert.deepEqual(readdirSync(run.folder), ["checkpoint-0"]);
  await engine.dispose();
});

test("a weight that is not a number stops the run with a sentence, and nothing is saved", async () => {
  const engine = openEngine("adapter", (source) => (name) => {
    const values = source.read(name);
    if (name === "model.layers.1.mlp.up_proj.weight") values[5] = Number.NaN;
    return values;
  });
  const before = arraysOf(engine);
  const run = runOf(engine);
  await assert.rejects(
    collect(run),
    (error) =>
      error instanceof UserError &&
      /^Expected a finite loss and gradient at step 1, found NaN/.test(error.message),
  );
  assert.ok(!existsSync(run.folder));
  assert.deepEqual(arraysOf(engine), before);
  await engine.dispose();
});

test("another seed is another order", async () => {
  const losses: number[][] = [];
  for (const seed of [1, 1, 2]) {
    const engine = openEngine("adapter");
    const events = await collect(runOf(engine, { options: { ...options, seed, max_steps: 2 } }));
    losses.push(lossesOf(events));
    await engine.dispose();
  }
  assert.deepEqual(losses[0], losses[1]);
  assert.notDeepEqual(losses[0], losses[2]);
});

test("no sequences is a sentence", async () => {
  const engine = openEngine("adapter");
  await assert.rejects(collect(runOf(engine, { sequences: [] })), UserError);
  await engine.dispose();
});

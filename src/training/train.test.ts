// The training loop on a tiny Llama: stopping and going on changes nothing, aborts keep what was done, clocks end
// runs, broken numbers stop them.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
import type { Network } from "./network.ts";
import { type Resolved, resolveOptions, trainOptions } from "./options.ts";
import { type TrainEvent, type TrainRun, train } from "./train.ts";
import { areFinite } from "./trained.ts";

const FOLDER = new URL("../../test/golden/llama/tied", import.meta.url).pathname;
const temporary = mkdtempSync(join(tmpdir(), "codefudge-train-"));
after(() => rmSync(temporary, { recursive: true }));
let folders = 0;

const random = createRandom(11);
const sequences: Sequence[] = Array.from({ length: 7 }, () => ({
  ids: Int32Array.from({ length: 6 + random.below(20) }, () => random.below(67)),
  promptLength: 3,
}));

type Kind = "adapter" | "all" | "dropout";

function openEngine(kind: Kind, read?: (source: WeightSource) => WeightSource["read"]): Engine {
  const source = openFolder(FOLDER);
  const plain = kind === "all" ? null : readPeft(join(FOLDER, "adapter"));
  const adapter =
    plain && kind === "dropout" ? { ...plain, config: { ...plain.config, lora_dropout: 0.25 } } : plain;
  return new Engine({
    model: createModel(source.config),
    read: read?.(source) ?? source.read,
    adapter,
    trainable: kind === "all" ? "all" : "adapter",
    device: { threads: 1, arena: true },
  });
}

const options: Resolved = {
  ...resolveOptions({ ...defaultsOf(trainOptions), max_steps: 6, save_steps: 2, eval_steps: 3 }, "adapter"),
  learning_rate: 1e-2,
  per_device_train_batch_size: 2,
  gradient_accumulation_steps: 2,
};

function runOf(engine: Network, given: Partial<TrainRun> = {}): TrainRun {
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

const checkpointsOf = (folder: string) =>
  readdirSync(folder).flatMap((name) => (name.startsWith("checkpoint-") ? [Number(name.slice(11))] : []));

const stepsOf = (events: readonly TrainEvent[]) => events.flatMap((e) => (e.type === "step" ? [e.step] : []));
const lossesOf = (events: readonly TrainEvent[]) =>
  events.flatMap((e) => (e.type === "step" ? [e.loss] : []));
const arraysOf = (engine: Network) =>
  new Map([...engine.trained].map(([name, { data }]) => [name, data.slice()]));

for (const kind of ["adapter", "all", "dropout"] as const) {
  test(`a run that is killed and aborted on its way ends as an undisturbed one, to the bit: ${kind}`, async () => {
    const undisturbed = runOf(openEngine(kind));
    const events = await collect(undisturbed);
    assert.deepEqual(stepsOf(events), [1, 2, 3, 4, 5, 6]);
    await undisturbed.engine.dispose();

    const { folder } = runOf(undisturbed.engine);
    const killed = runOf(openEngine(kind), { folder });
    await collect(killed, (event) => event.type === "step" && event.step === 3);
    await killed.engine.dispose();
    assert.deepEqual(checkpointsOf(folder), [2]);

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
    assert.equal(checkpointsOf(folder).at(-1), 5);

    const last = runOf(openEngine(kind), { folder });
    const rest = await collect(last);
    await last.engine.dispose();
    assert.deepEqual(stepsOf(rest), [6]);
    assert.deepEqual([...lossesOf(again), ...lossesOf(rest)], lossesOf(events).slice(2));
    assert.deepEqual(arraysOf(last.engine), arraysOf(undisturbed.engine));
    const finished = rest.at(-1)!;
    assert.ok(finished.type === "finished");
    assert.deepEqual(finished.progress.losses, lossesOf(events));
    const calm = events.at(-1)!;
    assert.ok(calm.type === "finished");
    assert.deepEqual(finished.progress.evaluations, calm.progress.evaluations);
  });
}

test("events of a run, in order, and a loss that falls", async () => {
  const run = runOf(openEngine("adapter"), { options: { ...options, warmup_steps: 0 } });
  const events = await collect(run);
  await run.engine.dispose();
  assert.deepEqual(
    events.map((event) => ("step" in event ? `${event.type} ${event.step}` : event.type)),
    [
      ...["started 0", "validated 0", "step 1", "step 2", "saved 2", "step 3", "validated 3", "saved 3"],
      ...["step 4", "saved 4", "step 5", "step 6", "validated 6", "saved 6", "finished"],
    ],
  );
  const [, first, second] = events.flatMap((event) => (event.type === "validated" ? [event.loss] : []));
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
  assert.equal(checkpointsOf(run.folder).at(-1), finished.progress.step);
  assert.ok(events.some(({ type }) => type === "validated"));
  const last = events.filter((event) => event.type === "step").at(-1)!;
  assert.ok(
    last.type === "step" && last.learning_rate < options.learning_rate,
    "the schedule follows the clock",
  );
  assert.deepEqual(stepsOf(await collect(run)), [], "its time is used up");
  await engine.dispose();
});

test("a run by the clock that is started again knows how long its steps take", async () => {
  const engine = openEngine("adapter");
  const clocked = { ...options, max_steps: -1, time: 1000, eval_strategy: "no" };
  const run = runOf(engine, { options: clocked });
  await collect(run, ({ type }) => type === "saved");
  const path = join(run.folder, "checkpoint-2", "codefudge_state.json");
  const state = JSON.parse(readFileSync(path, "utf8"));
  assert.ok(state.lasted.step > 0 && state.lasted.step < 100);
  writeFileSync(path, JSON.stringify({ ...state, seconds: 960, lasted: { step: 90 } }));
  assert.deepEqual(stepsOf(await collect(run)), [], "half a step more than 1000 seconds");
  await engine.dispose();
});

test("an abort before the first step leaves a checkpoint of step 0", async () => {
  const engine = openEngine("adapter");
  const run = runOf(engine, { signal: AbortSignal.abort() });
  await assert.rejects(collect(run), /abort/i);
  assert.deepEqual(checkpointsOf(run.folder), [0]);
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
      /^Expected a finite loss and gradient at step 1, found NaN.* the worst example is number \d; try a smaller --learning_rate/.test(
        error.message,
      ),
  );
  assert.deepEqual(checkpointsOf(run.folder), []);
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

test("dropout changes what is learned, and nothing that is measured", async () => {
  const events: TrainEvent[][] = [];
  for (const kind of ["adapter", "dropout"] as const) {
    const engine = openEngine(kind);
    events.push(await collect(runOf(engine, { options: { ...options, max_steps: 2, warmup_steps: 0 } })));
    await engine.dispose();
  }
  const [plain, dropped] = events as [TrainEvent[], TrainEvent[]];
  const measured = (list: TrainEvent[]) => list.flatMap((e) => (e.type === "validated" ? [e.loss] : []));
  assert.equal(measured(dropped)[0], measured(plain)[0]);
  assert.notDeepEqual(lossesOf(dropped), lossesOf(plain));
});

/** A run whose held-out loss soon rises: what is held out is the contrary of what is trained. */
function overfitting(engine: Network, given: Partial<Resolved>): TrainRun {
  const answer = (last: number): Sequence => ({ ids: Int32Array.of(5, 6, 7, 8, last), promptLength: 4 });
  const choice = { warmup_steps: 0, learning_rate: 2e-2, max_steps: 12, eval_steps: 1, ...given };
  return runOf(engine, {
    sequences: [answer(9), answer(10), answer(9), answer(9)],
    validation: [answer(10)],
    options: { ...options, lr_scheduler_type: "constant", ...choice },
  });
}

test("a run ends with what was best on held-out examples, or with the last step where that is wished", async () => {
  for (const load_best_model_at_end of [true, false]) {
    const engine = openEngine("adapter");
    const run = overfitting(engine, { load_best_model_at_end });
    const best = new Map<number, Map<string, Float32Array>>();
    const events = await collect(run, (event) => {
      if (event.type === "step") best.set(event.step, arraysOf(engine));
      return false;
    });
    const losses = events.flatMap((e) => (e.type === "validated" && e.step > 0 ? [e] : []));
    const lowest = losses.reduce((a, b) => (b.loss < a.loss ? b : a));
    assert.ok(lowest.step < 12, "the test is none when the last step is the best");
    assert.deepEqual(arraysOf(engine), best.get(load_best_model_at_end ? lowest.step : 12));
    const restored = events.filter((e) => e.type === "restored");
    const expected = [{ type: "restored", step: lowest.step, loss: lowest.loss }];
    assert.deepEqual(restored, load_best_model_at_end ? expected : []);
    assert.ok(losses.some((e) => e.best) && losses.some((e) => !e.best));
    await engine.dispose();
  }
});

test("patience ends a run, and one that is killed meanwhile ends at the same step with the same arrays", async () => {
  const calm = overfitting(openEngine("adapter"), { early_stopping_patience: 3 });
  const events = await collect(calm);
  const finished = events.at(-1)!;
  assert.ok(finished.type === "finished" && finished.reason === "patience");
  const { step, evaluations } = finished.progress;
  assert.ok(step < 12);
  assert.equal(evaluations.length, step + 1);

  const { folder } = runOf(calm.engine);
  for (let kills = 0; kills < step; kills++) {
    const killed = { ...overfitting(openEngine("adapter"), { early_stopping_patience: 3 }), folder };
    let seen = 0;
    const rest = await collect(killed, (event) => event.type === "saved" && ++seen === 2);
    await killed.engine.dispose();
    if (rest.at(-1)!.type === "finished") break;
  }
  const last = { ...overfitting(openEngine("adapter"), { early_stopping_patience: 3 }), folder };
  const again = (await collect(last)).at(-1)!;
  assert.ok(again.type === "finished");
  assert.deepEqual(again.progress.evaluations, evaluations);
  assert.deepEqual(arraysOf(last.engine), arraysOf(calm.engine));
  for (const { engine } of [calm, last]) await engine.dispose();
});

test("an abort while held-out loss is measured leaves nothing out: it is measured when the run goes on", async () => {
  const undisturbed = runOf(openEngine("adapter"));
  const calm = (await collect(undisturbed)).at(-1)!;
  const abort = new AbortController();
  const engine = openEngine("adapter");
  const evaluate = engine.evaluate.bind(engine);
  let calls = 0;
  engine.evaluate = (batch) => {
    // Two at step 0; then the first of step 3.
    if (++calls === 3) abort.abort();
    return evaluate(batch);
  };
  const aborted = runOf(engine, { signal: abort.signal });
  await assert.rejects(collect(aborted), /abort/i);
  assert.equal(checkpointsOf(aborted.folder).at(-1), 3);
  const next = runOf(openEngine("adapter"), { folder: aborted.folder });
  const finished = (await collect(next)).at(-1)!;
  assert.ok(calm.type === "finished" && finished.type === "finished");
  assert.deepEqual(finished.progress.evaluations, calm.progress.evaluations);
  assert.deepEqual(arraysOf(next.engine), arraysOf(undisturbed.engine));
  for (const each of [undisturbed.engine, engine, next.engine]) await each.dispose();
});

test("weights of examples shift the loss towards those that count more", async () => {
  const losses: number[] = [];
  for (const weight of [1, 0.01]) {
    const engine = openEngine("adapter");
    const weighted = sequences
      .slice(0, 4)
      .map((sequence, i) => (i === 0 ? { ...sequence, weight } : sequence));
    const run = runOf(engine, { sequences: weighted, options: { ...options, max_steps: 1 } });
    losses.push(...lossesOf(await collect(run)));
    await engine.dispose();
  }
  assert.notEqual(losses[0], losses[1]);
});

test("every optimizer goes on from its checkpoint to the same bytes", async () => {
  for (const optim of ["adamw_torch", "adafactor"]) {
    const given = { options: { ...options, optim, weight_decay: 0.01, max_steps: 4 } };
    const calm = runOf(openEngine("adapter"), given);
    await collect(calm);
    const killed = runOf(openEngine("adapter"), given);
    await collect(killed, (event) => event.type === "saved");
    const next = runOf(openEngine("adapter"), { ...given, folder: killed.folder });
    await collect(next);
    assert.deepEqual(arraysOf(next.engine), arraysOf(calm.engine), optim);
    assert.ok(areFinite(next.engine.trained.values()));
    for (const { engine } of [calm, killed, next]) await engine.dispose();
  }
});

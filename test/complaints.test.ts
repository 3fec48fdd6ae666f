// What users of other trainers complained about, one test each, named after where it was said: what happens while a
// run trains. Complaints about what comes out of one are in complaints-files.test.ts.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openAdapter } from "../src/adapters/open.ts";
import { readPeft } from "../src/adapters/peft.ts";
import { UserError } from "../src/base/errors.ts";
import { defaultsOf } from "../src/base/options.ts";
import { createRandom } from "../src/base/random.ts";
import { renderFitting } from "../src/dataset/fitting.ts";
import { formats } from "../src/dataset/format.ts";
import type { Rendered } from "../src/dataset/render.ts";
import { readExamples } from "../src/dataset/store.ts";
import { openBase } from "../src/generation/base.ts";
import { createAnyModel, createModel } from "../src/models/table.ts";
import { loadTokenizer } from "../src/tokenizer/load.ts";
import type { Tokenizer } from "../src/tokenizer/tokenizer.ts";
import { packBatches, type Sequence } from "../src/training/batch.ts";
import { Engine } from "../src/training/engine.ts";
import { type Network, openNetwork } from "../src/training/network.ts";
import { type Resolved, resolveOptions, trainOptions } from "../src/training/options.ts";
import { planTraining, predictMemory } from "../src/training/plan.ts";
import { type TrainEvent, train } from "../src/training/train.ts";
import { openFolder } from "../src/weights/folder.ts";
import { createWorkshop, run, type Workshop } from "./tiny.ts";

const LLAMA = new URL("golden/llama/tied", import.meta.url).pathname;
const T5 = new URL("golden/t5", import.meta.url).pathname;
const temporary = mkdtempSync(join(tmpdir(), "codefudge-complaints-"));
let folders = 0;
let shop: Workshop;

before(async () => {
  shop = await createWorkshop(40);
});

after(() => {
  shop.dispose();
  rmSync(temporary, { recursive: true });
});

const random = createRandom(3);
const sequences: Sequence[] = Array.from({ length: 8 }, () => ({
  ids: Int32Array.from({ length: 8 + random.below(12) }, () => random.below(67)),
  promptLength: 4,
}));

/** `loudness` multiplies all logits: a model that is sure of what is wrong does worse than guessing. */
function openEngine(loudness: number): Engine {
  const source = openFolder(LLAMA);
  const read = (name: string) =>
    name === "model.norm.weight" ? source.read(name).map((value) => loudness * value) : source.read(name);
  const adapter = readPeft(join(LLAMA, "adapter"));
  const model = createModel(source.config);
  return new Engine({
    model,
    read,
    adapter,
    trainable: "adapter",
    device: { threads: 1, arena: true },
  });
}

type Given = Partial<Resolved> & {
  readonly sequences?: readonly Sequence[];
  readonly loudness?: number;
  /** The batch at which the runtime has no more memory. */
  readonly failing?: number;
  readonly folder?: string;
  readonly network?: Network;
  readonly validation?: readonly Sequence[];
  /** The id that answers must end with. */
  readonly end?: number;
};

/** A run on the tiny Llama, unless another network is given: its folder, its events, what was trained, and what ended it if that was an error. */
async function trainTiny(wish: Given) {
  const {
    sequences: given = sequences,
    loudness = 1,
    failing,
    folder = freshFolder(),
    validation = [],
    network,
    end,
    ...options
  } = wish;
  const resolved = resolveOptions({ ...defaultsOf(trainOptions), eval_strategy: "no" }, "adapter");
  const engine = network ?? openEngine(loudness);
  if (failing !== undefined) failAt(engine, failing);
  const before = new Map([...engine.trained].map(([name, { data }]) => [name, data.slice()]));
  const events: TrainEvent[] = [];
  let error: unknown;
  try {
    const made = train({
      engine,
      sequences: given,
      validation,
      options: { ...resolved, ...options },
      batch: options.per_device_train_batch_size ?? 1,
      folder,
      identity: "one",
      signal: new AbortController().signal,
      ...(end === undefined ? {} : { end }),
    });
    for await (const event of made) events.push(event);
  } catch (caught) {
    error = caught;
  }
  const arrays = new Map([...engine.trained].map(([name, { data }]) => [name, data.slice()]));
  await engine.dispose();
  return { folder, events, before, arrays, error };
}

function freshFolder(): string {
  return join(temporary, String(folders++));
}

function failAt(engine: Network, failing: number): void {
  const accumulate = engine.accumulate.bind(engine);
  let count = 0;
  engine.accumulate = (batch, seed) => {
    if (++count === failing) throw new Error("bad allocation");
    return accumulate(batch, seed);
  };
}

function assertRefused(error: unknown, says: RegExp): void {
  assert.ok(error instanceof UserError, String(error));
  assert.match(error.message, says);
}

async function rendered(
  given?: Tokenizer,
): Promise<{ items: readonly Rendered[]; eosId: number; bosId: number | undefined }> {
  const { tokenizer: own, source } = openBase(shop.model);
  const tokenizer = given ?? own;
  const rule = {
    tokenizer,
    format: formats.region,
    max_length: 256,
    max_files: 4,
    purpose: "train",
  } as const;
  const rendering = renderFitting(readExamples(shop.dataset, "train"), rule, (item) => item);
  for (;;) {
    const next = await rendering.next();
    if (!next.done) continue;
    source.dispose();
    return { items: next.value.items, eosId: tokenizer.eosId, bosId: tokenizer.bosId };
  }
}

test("unsloth #1290, trl PR #6671, PR #6668: an example whose answer is all masked is refused, not trained with a loss of 0", async () => {
  const masked = { ids: Int32Array.of(1, 2, 3), promptLength: 3 };
  const { error, folder } = await trainTiny({ sequences: [...sequences, masked] });
  assertRefused(
    error,
    /Expected an answer to learn in every example, found none in 1 of 9, the first is number 8;/,
  );
  assert.ok(!existsSync(folder));
});

test("ainode #186: a run whose loss is no number does not end as a success, and nothing of it is saved", async () => {
  const { error, folder } = await trainTiny({
    learning_rate: 1e30,
    warmup_steps: 0,
    max_grad_norm: 0,
    max_steps: 9,
  });
  assertRefused(
    error,
    /^Expected (a finite loss and gradient at step|finite numbers in what is trained after step) \d/,
  );
  assert.ok(!readdirSync(folder).some((name) => name.startsWith("checkpoint")));
});

test("ainode #186: a run whose loss stays above that of guessing does not end as a success", async () => {
  const { error } = await trainTiny({ loudness: 20, learning_rate: 0, max_steps: 40 });
  assertRefused(
    error,
    /^Expected a loss below 4\.20, that of guessing among 67 tokens, found \d.* the worst example is number \d;/,
  );
});

test("trl #1623, #2059, PR #3091, unsloth #416, alignment-handbook #127: every answer ends with the end token, and it is trained", async () => {
  const { items, eosId } = await rendered();
  assert.ok(items.length > 10);
  for (const item of items) {
    const [batch] = packBatches([item], 1);
    assert.equal(batch!.labels.at(-1), eosId);
    assert.equal(batch!.labels.filter((label) => label === eosId).length, 1);
  }
});

test("trl #1623, unsloth #416: an answer that is cut off is refused before training", async () => {
  const whole = sequences.map(({ ids, promptLength }) => ({ ids: Int32Array.of(...ids, 2), promptLength }));
  const cut = { ids: whole[5]!.ids.subarray(0, -1), promptLength: 4 };
  const { error, folder } = await trainTiny({ sequences: [...whole, cut], end: 2 });
  assertRefused(
    error,
    /^Expected the token 2 at the end of every answer, found 1 of 9 answers cut off, the first is number 8;/,
  );
  assert.ok(!existsSync(folder));
});

test("unsloth #2900, #1128: what is asked is not trained, what is answered is, to the last token", async () => {
  const { items } = await rendered();
  for (const item of items) {
    const [batch] = packBatches([item], 1);
    assert.deepEqual(batch!.labels, [...item.ids.subarray(item.promptLength)]);
    assert.equal(Math.min(...batch!.rows), item.promptLength - 1);
  }
});

test("llama.cpp PR #7107: never two tokens of beginning", async () => {
  const tokenizer = loadTokenizer({
    "tokenizer.model": readFileSync(new URL("golden/tokenizers/llama.model", import.meta.url)),
    "tokenizer_config.json": '{"add_bos_token": true, "bos_token": "<s>", "eos_token": "</s>"}',
  });
  const { items, bosId } = await rendered(tokenizer);
  assert.ok(items.length > 10);
  assert.equal(bosId, 1);
  for (const { ids } of items) assert.deepEqual([ids[0], ids.lastIndexOf(1)], [1, 0]);
});

test("transformers PR #34191, #35203, PR #35438, #37766: how a step is divided into batches changes neither loss nor result", async () => {
  const runs = [];
  for (const per_device_train_batch_size of [1, 2, 4]) {
    const gradient_accumulation_steps = 4 / per_device_train_batch_size;
    runs.push(await trainTiny({ per_device_train_batch_size, gradient_accumulation_steps, max_steps: 4 }));
  }
  const losses = runs.map(({ events }) => events.flatMap((e) => (e.type === "step" ? [e.loss] : [])));
  assert.equal(losses[0]!.length, 4);
  for (const [i, { arrays }] of runs.entries()) {
    losses[i]!.forEach((loss, step) => {
      assert.ok(
        Math.abs(loss - losses[0]![step]!) < 1e-5 * loss,
        `step ${step}: ${losses.map((l) => l[step])}`,
      );
    });
    for (const [name, data] of arrays) {
      const wanted = runs[0]!.arrays.get(name)!;
      const size = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      data.forEach((value, j) => {
        assert.ok(Math.abs(value - wanted[j]!) < 1e-4 * size, name);
      });
    }
  }
});

function openT5(): Network {
  const source = openFolder(join(T5, "v1.0"));
  const model = createAnyModel(source.config);
  const adapter = openAdapter(join(T5, "kinds/pfeiffer/adapter"), { model, read: source.read });
  const device = { threads: 1, arena: true };
  return openNetwork({ model, read: source.read, adapter, trainable: "adapter", device });
}

test("adapters #260: every array of the adapter is trained, of a T5's too", async () => {
  const few = sequences.map(({ ids, promptLength }) => ({ ids: ids.map((id) => id % 50), promptLength }));
  const llama = await trainTiny({ max_steps: 3 });
  const t5 = await trainTiny({ max_steps: 3, network: openT5(), sequences: few });
  for (const { before, arrays, error } of [llama, t5]) {
    assert.equal(error, undefined);
    assert.ok(arrays.size > 4);
    for (const [name, data] of arrays) assert.notDeepEqual(data, before.get(name), name);
  }
});

test("transformers #35850, #33336, peft #859, FastChat PR #1280, mlx-lm PR #97: optimizer and schedule are in a checkpoint", async () => {
  const { folder } = await trainTiny({ max_steps: 3, save_total_limit: 1 });
  const checkpoint = join(folder, "checkpoint-3");
  assert.deepEqual(readdirSync(checkpoint).sort(), [
    "codefudge_state.json",
    "optimizer.safetensors",
    "trained.safetensors",
    "trainer_state.json",
  ]);
  const state = JSON.parse(readFileSync(join(checkpoint, "codefudge_state.json"), "utf8"));
  assert.equal(state.step, 3);
  assert.equal(state.learning_rates.length, 3);
});

test("peft #859, transformers #35850: a run that goes on has the losses, rates and result of one that was never stopped", async () => {
  const wish = { max_steps: 6, save_steps: 2, warmup_steps: 2, lora_dropout: 0.1 };
  const stopped = await trainTiny({ ...wish, failing: 15 });
  assertRefused(stopped.error, /memory/);
  const rest = await trainTiny({ ...wish, folder: stopped.folder });
  const calm = await trainTiny(wish);
  const told = ({ events }: typeof calm) =>
    events.flatMap((e) => (e.type === "step" ? [[e.step, e.loss, e.learning_rate]] : []));
  assert.deepEqual(told(rest), told(calm).slice(2));
  assert.deepEqual(rest.arrays, calm.arrays);
});

test("axolotl #3203: measuring held-out loss runs on no more at a time than training does", async () => {
  const network = openEngine(1);
  const most = { trained: 0, measured: 0 };
  const { accumulate, evaluate } = network;
  network.accumulate = (batch, seed) => {
    most.trained = Math.max(most.trained, batch.ids.length);
    return accumulate.call(network, batch, seed);
  };
  network.evaluate = (batch) => {
    most.measured = Math.max(most.measured, batch.ids.length);
    return evaluate.call(network, batch);
  };
  const validation = [...sequences, ...sequences, ...sequences];
  const pace = { max_steps: 2, eval_strategy: "steps", eval_steps: 1, per_device_train_batch_size: 2 };
  const { events, error } = await trainTiny({ network, validation, ...pace });
  assert.equal(error, undefined);
  assert.equal(events.filter(({ type }) => type === "validated").length, 3);
  assert.ok(most.measured > 0 && most.measured <= most.trained, JSON.stringify(most));
});

test("axolotl #3203: measuring held-out loss takes no more memory than training was planned for", () => {
  const model = createModel(openFolder(LLAMA).config);
  const shape = { model, trained: 10_000, adapter: true };
  const plan = planTraining(shape, { max_length: null, per_device_train_batch_size: 4, memory: null });
  assert.ok(predictMemory(shape, { batch: 1, length: plan.max_length, arena: plan.arena }) <= plan.memory);
});

test("axolotl #998: no memory in the middle of a run is a sentence, and what was saved stays whole", async () => {
  const { folder, error } = await trainTiny({ max_steps: 6, save_steps: 2, failing: 15 });
  assertRefused(
    error,
    /^Expected more memory than there is, found that bad allocation; .* give --memory SIZE/,
  );
  const rest = await trainTiny({ max_steps: 6, save_steps: 2, folder });
  const calm = await trainTiny({ max_steps: 6, save_steps: 2 });
  assert.equal(rest.events.filter(({ type }) => type === "step").length, 4);
  assert.deepEqual(rest.arrays, calm.arrays);
});

test("axolotl #998, fms-hf-tuning #471, refact #246: too little memory is told before anything is read into it", async () => {
  const { code, stderr } = await run(["train", "--model", shop.model, "--memory", "50MB"], {
    cwd: shop.repository,
  });
  assert.equal(code, 1);
  assert.match(
    stderr,
    /Expected a memory budget of at least \d+MB for this model, found 50MB; give --memory \d+MB/,
  );
});

test("refact #147: a wrong target is a sentence that names what there is, before training", async () => {
  const tokens = ["train", "--model", shop.model, "--target_modules", "q_prj", "--run", "wrong"];
  const { code, stderr } = await run(tokens, { cwd: shop.repository });
  assert.equal(code, 1);
  assert.match(stderr, /Expected target_modules among .*q_proj.*, found q_prj \(did you mean q_proj\?\)/);
  assert.ok(!existsSync(join(shop.repository, ".codefudge/runs/wrong")));
});

test("refact #242: a length that no example fits is told with how many there are", async () => {
  const tokens = ["train", "--model", shop.model, "--max_length", "16", "--run", "short"];
  const { code, stderr } = await run(tokens, { cwd: shop.repository });
  assert.equal(code, 1);
  assert.match(stderr, /Expected training examples of at most 16 tokens, found \d+ that are all longer/);
});

test("a tokenizer that gives ids the model does not have is refused before training", async () => {
  const foreign = { ids: Int32Array.of(1, 2, 67), promptLength: 1 };
  const { error, folder } = await trainTiny({ sequences: [foreign] });
  assertRefused(error, /Expected ids below 67, the rows of the model's embedding, found 67 in number 0;/);
  assert.ok(!existsSync(folder));
});

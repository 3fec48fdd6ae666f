// A model with an encoder and a decoder in every verb, from the command line, on a tiny T5 of random weights: trained with
// each kind of adapter and whole, killed and gone on with, evaluated, asked, merged, continued.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { readExamples } from "../src/dataset/store.ts";
import { longt5 } from "../src/models/longt5.ts";
import { t5 } from "../src/models/t5.ts";
import { trainBpe } from "../src/tokenizer/train.ts";
import { initialPairWeights } from "../src/training/encoder-decoder-initial.ts";
import { writeModelFolder } from "../src/weights/folder.ts";
import { createWorkshop, run, runCalmAndKilled, start, type Workshop } from "./tiny.ts";

const CONFIG = {
  model_type: "t5",
  architectures: ["T5ForConditionalGeneration"],
  ...{ d_model: 32, d_kv: 8, d_ff: 48, num_layers: 2, num_decoder_layers: 2, num_heads: 2 },
  ...{ relative_attention_num_buckets: 16, relative_attention_max_distance: 64 },
  ...{ feed_forward_proj: "gated-gelu", tie_word_embeddings: false },
};

const LONG = {
  ...{ ...CONFIG, model_type: "longt5", architectures: ["LongT5ForConditionalGeneration"] },
  ...{ encoder_attention_type: "transient-global", local_radius: 47, global_block_size: 16 },
};

let shop: Workshop;
let model: string;
let long: string;

before(async () => {
  shop = await createWorkshop();
  const texts = [...readExamples(shop.dataset, "train")].map(({ old, diff }) => `${old ?? ""}${diff}`);
  const tokenizer = trainBpe(texts, { vocabSize: 512, specialTokens: ["<|end|>"] });
  const ids = { eos_token_id: tokenizer.eosId, pad_token_id: 0, decoder_start_token_id: 0 };
  const write = (name: string, build: typeof t5, sizes: Record<string, unknown>) => {
    const config = { ...sizes, ...ids, vocab_size: tokenizer.vocabSize };
    const folder = join(shop.folder, name);
    const arrays = initialPairWeights(build(config), 1);
    writeModelFolder(folder, { config, arrays, tokenizerFiles: tokenizer.files() });
    return folder;
  };
  model = write("tiny-t5", t5, CONFIG);
  long = write("tiny-longt5", longt5, LONG);
});

after(() => shop.dispose());

const SIZE = ["--max_length", "256", "--per_device_train_batch_size", "4"];

function trainAs(name: string, ...options: readonly string[]) {
  return run(["train", "--model", model, "--run", name, ...SIZE, ...options], { cwd: shop.repository });
}

const runFolder = (name: string, ...path: readonly string[]) =>
  join(shop.repository, ".codefudge", "runs", name, ...path);
const jsonOf = (path: string) => JSON.parse(readFileSync(path, "utf8"));

test("a LoRA: both formats' files, an evaluation, answers, a merged model that is a base again", async () => {
  const options = ["--max_steps", "3", "--lora_dropout", "0.1", "--target_modules", "q,v,wo"];
  const { code, stderr } = await trainAs("lora", ...options);
  assert.equal(code, 0, stderr);
  const { task_type, target_modules } = jsonOf(runFolder("lora", "adapter_config.json"));
  assert.deepEqual([task_type, target_modules], ["SEQ_2_SEQ_LM", ["q", "v", "wo"]]);
  const hub = jsonOf(runFolder("lora", "adapterhub", "codefudge", "adapter_config.json"));
  assert.deepEqual([hub.model_class, hub.config.output_lora], ["T5ForConditionalGeneration", true]);

  const few = ["--samples", "2", "--likelihoods", "4", "--max_new_tokens", "24"];
  const evaluated = await run(["evaluate", "lora", ...few], { cwd: shop.repository });
  assert.equal(evaluated.code, 0, evaluated.stderr);
  const { arms } = jsonOf(runFolder("lora", "report.json"));
  assert.ok(arms.trained.likelihood.bits_per_byte.mean < arms.untrained.likelihood.bits_per_byte.mean + 0.5);

  const asked = ["--run", "lora", "--json", "--max_new_tokens", "40"];
  const suggested = await run(["suggest", "-m", "Bump version", "package.json", ...asked], {
    cwd: shop.repository,
  });
  assert.ok(suggested.code === 0 || suggested.code === 3, suggested.stderr);
  assert.ok(JSON.parse(suggested.stdout).tokens > 0);
  const stdin = (async function* () {
    yield Buffer.from("Bump version\n<pad>a.txt<pad>\n\nversion 1\n");
  })();
  const forwarded = await run(["forward", ...asked], { cwd: shop.repository, stdin });
  assert.ok(forwarded.code === 0 || forwarded.code === 3, forwarded.stderr);

  const merged = join(shop.folder, "merged");
  const made = await run(["merge", "lora", "-o", merged], { cwd: shop.repository });
  assert.equal(made.code, 0, made.stderr);
  const again = await run(["train", "--model", merged, "--run", "on-merged", ...SIZE, "--max_steps", "1"], {
    cwd: shop.repository,
  });
  assert.equal(again.code, 0, again.stderr);
  const losses = ["lora", "on-merged"].map((name) => jsonOf(runFolder(name, "run.json")).progress);
  const difference = losses[1].base_loss - losses[0].best.loss;
  assert.ok(Math.abs(difference) < 0.02, "the merged base begins where the LoRA ended");
});

test("a bottleneck with an invertible adapter and the embedding, and every weight", async () => {
  const options = ["--adapter", "pfeiffer+inv", "--modules_to_save", "shared", "--max_steps", "2"];
  const bottleneck = await trainAs("pfeiffer", ...options);
  assert.equal(bottleneck.code, 0, bottleneck.stderr);
  assert.ok(readdirSync(runFolder("pfeiffer")).includes("embedding.pt"));
  const { config, model_type } = jsonOf(runFolder("pfeiffer", "adapter_config.json"));
  assert.deepEqual([model_type, config.inv_adapter], ["t5", "nice"]);
  const full = await trainAs("full", "--method", "full", "--optim", "adafactor", "--max_steps", "2");
  assert.equal(full.code, 0, full.stderr);
  assert.ok(readdirSync(runFolder("full", "model")).includes("config.json"));
  const asked = ["suggest", "-m", "Bump version", "package.json", "--run", "full", "--max_new_tokens", "8"];
  const suggested = await run(asked, { cwd: shop.repository });
  assert.ok(suggested.code === 0 || suggested.code === 3, suggested.stderr);
});

test("a LongT5 with the adapter of 2022, on eight-bit products", async () => {
  const what = ["--adapter", "pfeiffer+inv", "--optim", "adafactor", "--compute", "int8"];
  const options = ["--model", long, "--run", "long", ...what];
  const pace = ["--max_length", "384", "--per_device_train_batch_size", "2", "--max_steps", "3"];
  const { code, stderr } = await run(["train", ...options, ...pace], { cwd: shop.repository });
  assert.equal(code, 0, stderr);
  assert.match(stderr, /gradients agree to (0\.99\d\d|1\.0000): near enough/);
  const { model_type, model_class } = jsonOf(runFolder("long", "adapter_config.json"));
  assert.deepEqual([model_type, model_class], ["longt5", "LongT5ForConditionalGeneration"]);
  const asked = ["suggest", "-m", "Bump version", "package.json", "--run", "long", "--max_new_tokens", "8"];
  const suggested = await run(asked, { cwd: shop.repository });
  assert.ok(suggested.code === 0 || suggested.code === 3, suggested.stderr);
});

test("a dry run says what it will take", async () => {
  const { code, stdout, stderr } = await trainAs("dry", "--max_steps", "4", "--dry_run", "--json");
  assert.equal(code, 0, stderr);
  const found = JSON.parse(stdout.trim().split("\n").at(-1)!);
  assert.ok(found.seconds > 0 && found.predicted_memory > 0);
  assert.equal(found.examples.length, 3);
});

suite("kill -9, and started again each time", { concurrency: true }, () => {
  for (const [kind, file, ...options] of [
    ["pfeiffer+inv", "adapter.safetensors", "--adapter", "pfeiffer+inv", "--dropout", "0.1"],
    ["full", "model/model.safetensors", "--method", "full"],
  ] as const) {
    test(`${kind}: the same bytes`, async () => {
      const startAs = (name: string) => {
        const pace = ["--max_steps", "8", "--save_steps", "2", "--eval_steps", "3", "--threads", "1"];
        const what = ["--model", model, "--run", name, ...SIZE, ...pace, ...options];
        return start(["train", "--json", ...what], shop.repository);
      };
      await runCalmAndKilled((name) => startAs(`${name}-${kind}`), [2, 3]);
      const [a, b] = ["calm", "killed"].map((name) => readFileSync(runFolder(`${name}-${kind}`, file)));
      assert.ok(a!.equals(b!), `${file} of the killed run differs from the undisturbed one`);
    });
  }
});

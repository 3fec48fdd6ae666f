// A model of two streams in every verb, from the command line, on a tiny XLNet of random weights: trained with each kind of
// adapter and whole, killed and gone on with, evaluated, asked, merged.

import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { sizeOf } from "../src/base/dtype.ts";
import { createRandom } from "../src/base/random.ts";
import { readExamples } from "../src/dataset/store.ts";
import { xlnet, xlnetParameters } from "../src/models/xlnet.ts";
import { trainBpe } from "../src/tokenizer/train.ts";
import { writeModelFolder } from "../src/weights/folder.ts";
import { createWorkshop, run, runCalmAndKilled, start, type Workshop } from "./tiny.ts";

const CONFIG = {
  model_type: "xlnet",
  architectures: ["XLNetLMHeadModel"],
  ...{ d_model: 32, n_layer: 2, n_head: 2, d_inner: 48, ff_activation: "gelu" },
};

let shop: Workshop;
let model: string;

/** As XLNet starts: all weights normal with a deviation of 0.02, norms at one, biases at zero. */
function weightsOf(config: typeof CONFIG & { readonly vocab_size: number }) {
  const random = createRandom(1);
  return new Map(
    xlnetParameters(xlnet(config)).map(({ name, shape }) => {
      const value = name.endsWith("norm.weight") ? 1 : 0;
      const draw = shape.length === 1 ? () => value : () => 0.02 * random.normal();
      return [name, { shape, data: Float32Array.from({ length: sizeOf(shape) }, draw) }];
    }),
  );
}

before(async () => {
  shop = await createWorkshop();
  model = join(shop.folder, "tiny-xlnet");
  const texts = [...readExamples(shop.dataset, "train")].map(({ old, diff }) => `${old ?? ""}${diff}`);
  const tokenizer = trainBpe(texts, { vocabSize: 512, specialTokens: ["<|end|>"] });
  const config = { ...CONFIG, eos_token_id: tokenizer.eosId, vocab_size: tokenizer.vocabSize };
  writeModelFolder(model, { config, arrays: weightsOf(config), tokenizerFiles: tokenizer.files() });
});

after(() => shop.dispose());

const SIZE = ["--max_length", "256", "--per_device_train_batch_size", "4"];

function trainAs(name: string, ...options: readonly string[]) {
  return run(["train", "--model", model, "--run", name, ...SIZE, ...options], { cwd: shop.repository });
}

const runFolder = (name: string, ...path: readonly string[]) =>
  join(shop.repository, ".codefudge", "runs", name, ...path);
const jsonOf = (path: string) => JSON.parse(readFileSync(path, "utf8"));

test("a bottleneck with an invertible adapter: AdapterHub's files, an evaluation, answers", async () => {
  const { code, stderr } = await trainAs("pfeiffer", "--adapter", "pfeiffer+inv", "--max_steps", "8");
  assert.equal(code, 0, stderr);
  const { config, model_type, model_class } = jsonOf(runFolder("pfeiffer", "adapter_config.json"));
  assert.deepEqual([model_type, model_class, config.inv_adapter], ["xlnet", "XLNetLMHeadModel", "nice"]);
  const { progress } = jsonOf(runFolder("pfeiffer", "run.json"));
  assert.ok(progress.best.loss < progress.base_loss, JSON.stringify(progress));

  const few = ["--samples", "2", "--likelihoods", "4", "--max_new_tokens", "24"];
  const evaluated = await run(["evaluate", "pfeiffer", ...few], { cwd: shop.repository });
  assert.equal(evaluated.code, 0, evaluated.stderr);
  const { arms } = jsonOf(runFolder("pfeiffer", "report.json"));
  assert.ok(arms.trained.likelihood.bits_per_byte.mean < arms.untrained.likelihood.bits_per_byte.mean + 0.5);

  const asked = ["--run", "pfeiffer", "--json", "--max_new_tokens", "40"];
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
});

test("a LoRA, merged into a base; bottlenecks after attention; every weight", async () => {
  const lora = await trainAs("lora", "--max_steps", "3", "--lora_dropout", "0.1");
  assert.equal(lora.code, 0, lora.stderr);
  const merged = join(shop.folder, "merged");
  const made = await run(["merge", "lora", "-o", merged], { cwd: shop.repository });
  assert.equal(made.code, 0, made.stderr);
  const again = await run(["train", "--model", merged, "--run", "on-merged", ...SIZE, "--max_steps", "1"], {
    cwd: shop.repository,
  });
  assert.equal(again.code, 0, again.stderr);
  const losses = ["lora", "on-merged"].map((name) => jsonOf(runFolder(name, "run.json")).progress);
  assert.ok(Math.abs(losses[1].base_loss - losses[0].best.loss) < 0.02, "it begins where the LoRA ended");

  const houlsby = await trainAs("houlsby", "--adapter", "houlsby", "--dropout", "0.1", "--max_steps", "2");
  assert.equal(houlsby.code, 0, houlsby.stderr);
  const full = await trainAs("full", "--method", "full", "--optim", "adafactor", "--max_steps", "2");
  assert.equal(full.code, 0, full.stderr);
  assert.ok(readdirSync(runFolder("full", "model")).includes("config.json"));
  const asked = ["suggest", "-m", "Bump version", "package.json", "--run", "full", "--max_new_tokens", "8"];
  const suggested = await run(asked, { cwd: shop.repository });
  assert.ok(suggested.code === 0 || suggested.code === 3, suggested.stderr);
});

test("a dry run, on a folder with spiece.model, says what it will take", async () => {
  const folder = join(shop.folder, "tiny-pieces");
  const config = { ...CONFIG, vocab_size: 1000 };
  mkdirSync(folder);
  writeModelFolder(folder, { config, arrays: weightsOf(config), tokenizerFiles: {} });
  copyFileSync(new URL("golden/tokenizers/xlnet.model", import.meta.url), join(folder, "spiece.model"));
  const pace = ["--max_steps", "4", "--dry_run", "--json"];
  const options = ["--adapter", "pfeiffer", "--compute", "int8", ...pace];
  const { code, stdout, stderr } = await run(
    ["train", "--model", folder, "--run", "dry", ...SIZE, ...options],
    {
      cwd: shop.repository,
    },
  );
  assert.equal(code, 0, stderr);
  assert.match(
    stderr,
    /Everything is computed in f32: XLNet's attention multiplies with arrays of three axes/,
  );
  const found = JSON.parse(stdout.trim().split("\n").at(-1)!);
  assert.ok(found.seconds > 0 && found.predicted_memory > 0);
});

test("kill -9, and started again each time: the same bytes", async () => {
  const startAs = (name: string) => {
    const pace = ["--max_steps", "12", "--save_steps", "2", "--eval_steps", "5", "--threads", "1"];
    const what = ["--model", model, "--run", name, ...SIZE, ...pace, "--adapter", "pfeiffer+inv"];
    return start(["train", "--json", ...what, "--dropout", "0.1"], shop.repository);
  };
  await runCalmAndKilled(startAs, [3]);
  const [a, b] = ["calm", "killed"].map((name) => readFileSync(runFolder(name, "adapter.safetensors")));
  assert.ok(a!.equals(b!), "the killed run's adapter differs from the undisturbed one's");
});

import assert from "node:assert/strict";
import { copyFileSync, cpSync, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeRepository, withFolder } from "../../../test/repository.ts";
import { createWorkshop, run, type Workshop } from "../../../test/tiny.ts";
import { openBase } from "../../generation/base.ts";
import { everyParameter } from "../../models/encoder-decoder.ts";
import { createAnyModel } from "../../models/table.ts";
import { writeModelFolder } from "../../weights/folder.ts";
import { openWeights } from "../../weights/open.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import { workspaceOf } from "../workspace.ts";

const GOLDEN = new URL("../../../test/golden/tokenizers/", import.meta.url).pathname;
const CODE = "function add(a, b) {\n\treturn a + b;\n}\n";

let workshop: Workshop;
before(async () => {
  workshop = await createWorkshop();
});
after(() => workshop.dispose());

const tokenizer = (...tokens: string[]) => run(["tokenizer", ...tokens], { cwd: workshop.folder });

test("inspect shows tokens, what is lost, and tokenizers against one another", async () => {
  writeFileSync(join(workshop.folder, "add.js"), CODE);
  const model = join(GOLDEN, "t5.model");
  const { code, stdout, stderr } = await tokenizer(
    "inspect",
    "add.js",
    "--model",
    model,
    "--model",
    workshop.model,
  );
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^t5\.model\n +id +token/);
  assert.match(
    stdout,
    /lost +↵ 3×, → 1×, \{ 1×, \} 1×\nput in +· 2×\nline 1 +function·add\(a,·b\)·\{\nbecomes +function·add\(a,·b\)··return/,
  );
  assert.match(stdout, /t5\.model +400 +\d+ +\d+\.\d +\d\.\d\d +without 6 characters/);
  assert.match(stdout, /tiny +512 +\d+ +\d+\.\d +\d\.\d\d +whole\n$/);
});

test("inspect gives JSON, takes words for a text, and reads stdin", async () => {
  const words = await tokenizer("inspect", "a b", "--model", workshop.model, "--json");
  const told = JSON.parse(words.stdout);
  assert.deepEqual([told.lines, told.bytes, told.loss.whole], [1, 3, true]);
  assert.equal(told.tokens.map(({ shown }: { shown: string }) => shown).join(""), "a·b");
  const piped = await run(["tokenizer", "inspect", "-", "--model", workshop.model, "--json"], {
    cwd: workshop.folder,
    stdin: (async function* () {
      yield Buffer.from("a b");
    })(),
  });
  assert.deepEqual(JSON.parse(piped.stdout).tokens, told.tokens);
});

test("a tokenizer is trained on a repository, and inspected", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), [{ files: { "a.js": CODE.repeat(20) } }]);
    for (const kind of ["bpe", "unigram"]) {
      const output = join(folder, kind, "own.json");
      const trained = await tokenizer(
        ...["train", repository, "--model_type", kind, "--vocab_size", "320", "-o", output],
      );
      assert.equal(trained.code, 0, trained.stderr);
      assert.ok(existsSync(join(folder, kind, "tokenizer_config.json")));
      const { stdout } = await tokenizer("inspect", CODE, "--model", output);
      assert.match(stdout, /own\.json +\d+ +\d+ .* whole\n$/);
      const again = await tokenizer("train", repository, "-o", output);
      assert.equal(again.code, 2);
      assert.match(again.stderr, /a new file for --output/);
    }
  });
});

test("a base is extended by what its tokenizer cannot write, and opens as a base", async () => {
  const base = join(workshop.folder, "small-t5");
  const files = { "tokenizer_config.json": '{"tokenizer_class":"T5Tokenizer"}\n' };
  writeSmallT5(base, files);
  copyFileSync(join(GOLDEN, "t5.model"), join(base, "spiece.model"));
  const output = join(workshop.folder, "extended");
  const extend = ["extend", workshop.repository, "--model", base, "--words", "5", "-o", output];
  const { code, stdout, stderr } = await tokenizer(...extend);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /came back +0 of 10 files before, 10 now/);
  assert.match(stdout, /--modules_to_save lm_head,shared/);
  const [before, after] = [openWeights(base), openWeights(output)];
  const rows = after.config.vocab_size as number;
  assert.ok(rows > 410, `${rows}`);
  const own = openBase(output).tokenizer;
  assert.equal(own.vocabSize, rows);
  assert.equal(await own.decode(await own.encode(CODE)), CODE);
  const first = Math.min(...(await Promise.all([..."{}`"].map((sign) => own.encode(sign)))).flat());
  for (const name of ["shared.weight", "lm_head.weight"]) {
    assert.deepEqual(after.arrays.get(name)!.shape, [rows, 8]);
    const [old, extended] = [before.read(name), after.read(name)];
    // The rows of its 400 tokens; behind them were rows of none.
    assert.deepEqual(extended.subarray(0, 3200), old.subarray(0, 3200));
    // What the base reads as <unk> begins near it, but not the same.
    const distance = Math.hypot(
      ...extended.subarray(first * 8, first * 8 + 8).map((x, i) => x - old[16 + i]!),
    );
    assert.ok(distance > 0 && distance < 2, `${distance}`);
  }
  const layer = "encoder.block.0.layer.0.SelfAttention.q.weight";
  assert.deepEqual(after.read(layer), before.read(layer));
  const again = await tokenizer(...extend);
  assert.match(again.stderr, /a new or empty folder, found files/);
  const whole = await tokenizer(
    "extend",
    workshop.repository,
    "--model",
    output,
    "-o",
    join(workshop.folder, "x"),
  );
  assert.equal(whole.code, 1, whole.stdout);
  assert.match(whole.stderr, /found that it gives back all of them; use the base as it is/);
  before.dispose();
  after.dispose();
});

test("train extends a base on the way, trains the rows, and saves them with the adapter", async () => {
  const base = join(workshop.folder, "lossy");
  cpSync(workshop.model, base, { recursive: true });
  for (const name of readdirSync(base).filter((file) => /token/.test(file))) rmSync(join(base, name));
  copyFileSync(join(GOLDEN, "t5.model"), join(base, "spiece.model"));
  const train = [
    "train",
    "--model",
    base,
    "--extend_tokenizer",
    "4",
    "--max_steps",
    "2",
    "--max_length",
    "512",
  ];
  const at = { cwd: workshop.repository };
  const { code, stderr } = await run([...train, "--run", "rows", "--learning_rate", "0.01"], at);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /Gave .*lossy \d+ tokens for what it cannot write: ↵ → /);
  const folder = join(workspaceOf(workshop.repository).runs, "rows");
  const made = readdirSync(folder).filter((name) => name.startsWith("base-"));
  assert.equal(made.length, 1);
  const extended = openWeights(join(folder, made[0]!));
  const name = "model.embed_tokens.weight";
  const adapter = openSafetensors(join(folder, "adapter_model.safetensors"));
  const saved = [...adapter.arrays.values()].find((array) => array.name.includes("embed_tokens"))!;
  assert.deepEqual(saved.shape, extended.arrays.get(name)!.shape);
  assert.ok(saved.shape[0]! > 512);
  const [before, after] = [extended.read(name), adapter.read(saved.name)];
  const changed = (row: number) =>
    after.subarray(row * 32, row * 32 + 32).some((x, i) => x !== before[row * 32 + i]);
  assert.ok(Array.from({ length: saved.shape[0]! - 400 }, (_, i) => 400 + i).some(changed));
  extended.dispose();
  adapter.dispose();
  const merged = await run(["merge", "rows", "-o", join(workshop.folder, "whole")], at);
  assert.equal(merged.code, 0, merged.stderr);
  const own = openBase(join(workshop.folder, "whole"));
  assert.equal(await own.tokenizer.decode(await own.tokenizer.encode(CODE)), CODE);
  own.source.dispose();
  const again = await run([...train, "--run", "rows", "--learning_rate", "0.01"], at);
  assert.equal(again.code, 0, again.stderr);
  const other = await run([...train.with(4, "5"), "--run", "rows", "--learning_rate", "0.01"], at);
  assert.match(other.stderr, /extend_tokenizer/);
  const scratch = await run(["train", "--extend_tokenizer", "4"], at);
  assert.match(scratch.stderr, /Expected a base of its own with --extend_tokenizer, found scratch/);
});

function writeSmallT5(folder: string, tokenizerFiles: Record<string, string>): void {
  const config = {
    model_type: "t5",
    vocab_size: 408,
    ...{ d_model: 8, d_kv: 4, d_ff: 16, num_layers: 1, num_decoder_layers: 1, num_heads: 2 },
    ...{ feed_forward_proj: "gated-gelu", tie_word_embeddings: false, layer_norm_epsilon: 1e-6 },
    ...{ relative_attention_num_buckets: 8, relative_attention_max_distance: 16 },
    ...{ decoder_start_token_id: 0, pad_token_id: 0, eos_token_id: 1 },
  };
  const arrays = new Map(
    everyParameter(createAnyModel(config)).map(({ name, shape }, i) => {
      const size = shape.reduce((product, extent) => product * extent, 1);
      return [name, { shape, data: Float32Array.from({ length: size }, (_, at) => Math.sin(at + i)) }];
    }),
  );
  writeModelFolder(folder, { config, arrays, tokenizerFiles });
}

test("what cannot be done is said", async () => {
  const refused = async (message: RegExp, ...tokens: string[]) => {
    const { code, stderr } = await tokenizer(...tokens);
    assert.notEqual(code, 0);
    assert.match(stderr, message);
  };
  await refused(/Expected `tokenizer inspect`, .*found `tokenizer look`/, "look");
  await refused(/Expected a tokenizer, found none; say which with --model/, "inspect", "x");
  await refused(/Expected a file or a text to inspect, found none/, "inspect", "--model", workshop.model);
  await refused(/Expected tokenizer\.json, .* found none/, "inspect", "x", "--model", workshop.folder);
  await refused(/Expected a repository or a file at .*nowhere/, "train", "nowhere");
});

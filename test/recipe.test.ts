// The recipe of 2022 from the command line, on a tiny LongT5 of random weights whose tokenizer, as T5's, has no line
// break, tab or brace: from rows in 2022's own form to a diff with all three; killed, gone on with, and continued.

import assert from "node:assert/strict";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { joinFile, LABEL_END } from "../src/forms/words2022.ts";
import { longt5 } from "../src/models/longt5.ts";
import { createPatch } from "../src/patch/create.ts";
import { printPatch } from "../src/patch/print.ts";
import { initialPairWeights } from "../src/training/encoder-decoder-initial.ts";
import { writeModelFolder } from "../src/weights/folder.ts";
import { run, runCalmAndKilled, start } from "./tiny.ts";

const PIECES = fileURLToPath(new URL("golden/tokenizers/t5.model", import.meta.url));
const CONFIG = {
  model_type: "longt5",
  architectures: ["LongT5ForConditionalGeneration"],
  ...{
    d_model: 64,
    d_kv: 16,
    d_ff: 128,
    num_layers: 1,
    num_decoder_layers: 1,
    num_heads: 4,
    vocab_size: 408,
  },
  ...{ relative_attention_num_buckets: 16, relative_attention_max_distance: 64 },
  ...{ feed_forward_proj: "gated-gelu", tie_word_embeddings: false },
  ...{ encoder_attention_type: "transient-global", local_radius: 127, global_block_size: 16 },
  ...{ decoder_start_token_id: 0, pad_token_id: 0, eos_token_id: 1 },
};

const folder = mkdtempSync(join(tmpdir(), "codefudge-recipe-"));
const model = join(folder, "long-t5");
const cwd = join(folder, "work");
after(() => rmSync(folder, { recursive: true, force: true }));

const program = (name: string, body: string) => `package ${name}\n\nfunc run() {\n\t${body}\n}\n`;

type Row = { readonly message: string; readonly path: string; readonly old: string; readonly new: string };
const rows: readonly Row[] = [
  { message: "Return two", path: "a.go", old: program("a", "return 1"), new: program("a", "return 2") },
  {
    message: "Stop when done",
    path: "b.go",
    old: program("b", "go on()"),
    new: program("b", "if done {\n\t\tstop()\n\t}"),
  },
];
const later: Row = {
  message: "Say so",
  path: "c.go",
  old: program("c", "wait()"),
  new: program("c", 'say("so")'),
};

const diffOf = ({ path, old, new: text }: Row) => printPatch(createPatch({ path, old, new: text }));

/** A folder as hist2json.py of 2022 leaves it. */
function writeRows(name: string, some: readonly Row[]): void {
  mkdirSync(join(cwd, name), { recursive: true });
  const lines = some.map((row) =>
    JSON.stringify({ input: joinFile(row.message, row.path, row.old), label: diffOf(row) + LABEL_END }),
  );
  writeFileSync(join(cwd, name, "test.json"), lines.map((line) => `${line}\n`).join(""));
}

before(() => {
  const arrays = initialPairWeights(longt5(CONFIG), 1);
  writeModelFolder(model, { config: CONFIG, arrays, tokenizerFiles: {} });
  copyFileSync(PIECES, join(model, "spiece.model"));
  const tokenizer = { tokenizer_class: "T5Tokenizer", extra_ids: 100 };
  writeFileSync(join(model, "tokenizer_config.json"), JSON.stringify(tokenizer));
  writeRows("old", rows);
  writeRows("newer", [later, ...rows]);
});

const runFolder = (name: string, ...path: readonly string[]) =>
  join(cwd, ".codefudge", "runs", name, ...path);
const manifestOf = (name: string) => JSON.parse(readFileSync(runFolder(name, "run.json"), "utf8"));
const RECIPE = ["--recipe", "2022", "--memory", "8GB"];
/** Enough to know two rows by heart: another rate, and both rows in each step. */
const BY_HEART = [
  ...["--num_train_epochs", "220", "--learning_rate", "0.03"],
  ...["--per_device_train_batch_size", "2", "--gradient_accumulation_steps", "1"],
];

test("trained by the recipe, forward writes line breaks, tabs and braces", async () => {
  const { code, stderr } = await run(["train", "old", "--model", model, ...RECIPE, ...BY_HEART], { cwd });
  assert.equal(code, 0, stderr);
  assert.match(stderr, /Gave .* tokens for what it cannot write: ↵ → \{ \}/);
  const { options, adapter, format, progress } = manifestOf("long-t5");
  assert.deepEqual(
    [options.recipe, format, options.optim, options.extend_tokenizer],
    [...["2022", "diff", "adafactor"], 0],
  );
  assert.deepEqual(adapter.modules_to_save, ["lm_head", "shared"]);
  assert.ok(progress.last_loss < 0.5 && progress.first_loss > 5, JSON.stringify(progress));
  const files = readdirSync(runFolder("long-t5"));
  for (const name of ["adapter.safetensors", "pytorch_adapter.bin", "embedding.pt"]) {
    assert.ok(files.includes(name), `${name} among ${files.join(", ")}`);
  }
  for (const row of rows) {
    const stdin = (async function* () {
      yield Buffer.from(joinFile(row.message, row.path, row.old));
    })();
    const answer = await run(["forward", "--run", "long-t5"], { cwd, stdin });
    assert.equal(answer.code, 0, answer.stderr);
    assert.equal(answer.stdout, diffOf(row));
  }
  const shown = await run(["runs", "show", "long-t5"], { cwd });
  assert.match(shown.stdout, /--recipe +2022/);
});

test("going on from a run takes the other rate, and that run's adapter and tokenizer", async () => {
  const again = ["--continue_from", "long-t5", "--run", "onward", "--max_steps", "1"];
  const { code, stderr } = await run(["train", "newer", ...RECIPE, ...again], { cwd });
  assert.equal(code, 0, stderr);
  const { options, adapter, format } = manifestOf("onward");
  assert.equal(options.learning_rate, 5e-9 * 3);
  assert.deepEqual([adapter.kind, format, options.max_in_len], ["bottleneck", "diff", 1024]);
});

test("killed and started again, the recipe gives the same bytes", async () => {
  const startAs = (name: string) => {
    const pace = ["--max_steps", "6", "--save_steps", "2", "--threads", "1", "--run", name];
    return start(["train", "old", "--json", "--model", model, ...RECIPE, ...pace], cwd);
  };
  await runCalmAndKilled(startAs, [3]);
  for (const name of ["adapter.safetensors", "embedding.pt"]) {
    const [a, b] = ["calm", "killed"].map((one) => readFileSync(runFolder(one, name)));
    assert.ok(a!.equals(b!), `${name} of the killed run differs`);
  }
});

test("another architecture is a sentence", async () => {
  const t5 = fileURLToPath(new URL("golden/t5/v1.1", import.meta.url));
  const { code, stderr } = await run(["train", "old", "--model", t5, ...RECIPE], { cwd });
  assert.equal(code, 1);
  assert.match(stderr, /Expected a longt5 as base for --recipe 2022, found model_type "t5"/);
});

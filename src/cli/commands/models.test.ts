// The verb as it is used: a path, a name, what fits and what cannot be used.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { run } from "../../../test/tiny.ts";
import { createModel } from "../../models/table.ts";
import { initialWeights } from "../../training/initial.ts";
import { writeModelFolder } from "../../weights/folder.ts";

const home = mkdtempSync(join(tmpdir(), "codefudge-models-"));
after(() => rmSync(home, { recursive: true, force: true }));
const world = { env: { HOME: home }, cwd: home };

const config = {
  ...{
    model_type: "llama",
    hidden_act: "silu",
    hidden_size: 32,
    intermediate_size: 48,
    num_hidden_layers: 2,
  },
  ...{ num_attention_heads: 2, num_key_value_heads: 1, head_dim: 16, rms_norm_eps: 1e-5, rope_theta: 10000 },
  ...{ max_position_embeddings: 512, tie_word_embeddings: false, vocab_size: 64 },
};

test("no model anywhere is said on stderr, with where was looked", async () => {
  const { code, stdout, stderr } = await run(["models"], world);
  assert.deepEqual([code, stdout], [0, ""]);
  assert.match(stderr, /^No models in .*huggingface.*; train --model org\/name fetches one/);
});

test("a model by path and one of LM Studio, with what fits and why another cannot be used", async () => {
  const tiny = join(home, "tiny");
  writeModelFolder(tiny, { config, arrays: initialWeights(createModel(config), 1), tokenizerFiles: {} });
  const lmStudio = join(home, ".lmstudio", "models", "org");
  cpSync(tiny, join(lmStudio, "tiny"), { recursive: true });
  mkdirSync(join(lmStudio, "bad"));
  writeFileSync(join(lmStudio, "bad", "bad.gguf"), "GGUF");

  const all = await run(["models", "--json"], world);
  assert.equal(all.code, 0, all.stderr);
  const [bad, good] = all.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual([bad.name, good.name, good.where], ["org/bad", "org/tiny", "LM Studio"]);
  assert.match(bad.reason, /^Expected /);
  const { model_type, parameters, storage, fits } = good.usable;
  assert.deepEqual([model_type, parameters, storage, fits.max_length], ["llama", 19_616, "F32", 512]);

  const table = await run(["models", "tiny", "org/tiny", "--memory", "1MB"], world);
  assert.equal(table.code, 0, table.stderr);
  assert.match(
    table.stdout,
    /^model +from +type +parameters .*\n.*\ntiny +path +llama +19\.6 k +F32 .* no\norg\/tiny/,
  );

  const none = await run(["models", "org/none"], world);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /a path, or a name that codefudge models lists, found "org\/none"/);
});

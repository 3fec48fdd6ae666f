// The model card: its metadata, what it names, and that a path or a bar in a name breaks nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type CardFacts, kindName, modelCard } from "./card.ts";
import { parseAdapter } from "./options.ts";

const facts: CardFacts = {
  config: parseAdapter("pfeiffer+inv"),
  name: "code",
  base: { name: "org/base", model_type: "llama", sha256: "ab12", revision: "main" },
  data: {
    commits: { first: "c0ffee", last: "decade", count: 120 },
    examples: { seen: 340, all: 340 },
    sha256: "cd34",
  },
  training: { learning_rate: 0.001, steps: 200 },
  metrics: { "bits per byte": 0.31 },
  version: "0.1.0",
};

test("base, revision, commits, hashes and figures are in it", () => {
  const card = modelCard(facts);
  assert.match(card, /^---\nbase_model: org\/base\nlibrary_name: adapters\npipeline_tag: text-generation\n/);
  for (const row of [
    "| Revision of the base | main |",
    "| sha256 of the base's weights | ab12 |",
    "| Commits | 120, from c0ffee to decade |",
    "| sha256 of the dataset | cd34 |",
    "| reduction_factor | 16 |",
    "| learning_rate | 0.001 |",
    "| bits per byte | 0.31 |",
  ]) {
    assert.ok(card.includes(`${row}\n`), row);
  }
  assert.ok(!card.includes("undefined"));
  assert.match(card, /base\.load_adapter\("this folder", load_as="code", set_active=True\)/);
});

test("a path is no name on the hub, what was not measured is said, a bar stays in its cell", () => {
  const card = modelCard({
    ...facts,
    config: parseAdapter("lora"),
    base: { ...facts.base, name: "/models/base|1.gguf" },
    metrics: {},
  });
  assert.ok(!card.includes("base_model:"));
  assert.match(card, /^# llama with LoRA$/m);
  assert.match(card, /\| Base \| \/models\/base\\\|1\.gguf \|/);
  assert.match(card, /## Measured\n\nNothing\.\n/);
  assert.match(card, /PeftModel\.from_pretrained/);
});

test("kinds in words", () => {
  const names = ["lora", "rslora", "dora", "pfeiffer", "houlsby+inv", "par_bn"];
  assert.deepEqual(
    names.map((name) => kindName(parseAdapter(name))),
    ["LoRA", "rsLoRA", "DoRA", "seq_bn", "double_seq_bn+inv", "par_bn"],
  );
});

// The programs of a tiny Llama as printed text, compared with the files in test/snapshots: a refactoring that changes
// nothing leaves them as they are. UPDATE_SNAPSHOTS=1 rewrites them.

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { LoraConfig } from "../src/adapters/adapter.ts";
import { blockProgram } from "../src/generation/decoder.ts";
import { printProgram } from "../src/graph/print.ts";
import type { Program } from "../src/graph/program.ts";
import { createModel } from "../src/models/table.ts";
import { blockBackward, blockForward, headBackward, type Setup } from "../src/training/stages.ts";

const HEADER =
  "# Read the difference before accepting it; UPDATE_SNAPSHOTS=1 npm test -- snapshots rewrites this file.\n";

const config = JSON.parse(readFileSync(new URL("golden/llama/tied/config.json", import.meta.url), "utf8"));
const model = createModel(config);
const lora: LoraConfig = {
  kind: "lora",
  r: 4,
  lora_alpha: 8,
  use_rslora: false,
  use_dora: false,
  lora_dropout: 0,
  target_modules: ["q_proj", "down_proj"],
  layers_to_transform: null,
  modules_to_save: [],
};
const adapted: Setup = { model, adapter: lora, trainable: "adapter" };
const whole: Setup = { model, adapter: null, trainable: "all" };
const extent = { batch: 2, length: 5 };
const unread = () => assert.fail("a program is built without weights");
const decoding = {
  model,
  read: unread,
  adapter: { config: lora, arrays: new Map() },
  capacity: 8,
  device: { threads: 1, arena: true },
};

const programs: Readonly<Record<string, () => Program>> = {
  "block-forward": () => blockForward(adapted, extent),
  "block-backward": () => blockBackward(adapted, extent),
  "head-backward": () => headBackward(whole, { rows: 10, targets: 4 }),
  "decode-block": () => blockProgram(decoding, { size: 1, capacity: 8, layer: 0 }),
};

for (const [name, build] of Object.entries(programs)) {
  test(`printed graph of ${name}`, () => {
    const file = new URL(`snapshots/${name}.txt`, import.meta.url);
    const found = HEADER + printProgram(build());
    assert.equal(HEADER + printProgram(build()), found, "two builds print differently");
    if (process.env.UPDATE_SNAPSHOTS === "1") writeFileSync(file, found);
    assert.ok(
      existsSync(file),
      `Expected test/snapshots/${name}.txt, found none; UPDATE_SNAPSHOTS=1 writes it`,
    );
    assert.equal(found, readFileSync(file, "utf8"));
  });
}

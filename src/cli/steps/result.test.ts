// What a run's files say of where it comes from.

import assert from "node:assert/strict";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createWorkshop, run, type Workshop } from "../../../test/tiny.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
let shop: Workshop;

before(async () => {
  shop = await createWorkshop(20);
});

after(() => shop.dispose());

test("a base of the hub's cache is told by its name and commit there, in the adapter's config and on its card", async () => {
  const model = join(shop.folder, "models--org--tiny", "snapshots", COMMIT);
  cpSync(shop.model, model, { recursive: true });
  const tokens = ["train", "--model", model, "--run", "named", "--max_steps", "1", "--max_length", "512"];
  const { code, stderr } = await run(tokens, { cwd: shop.repository });
  assert.equal(code, 0, stderr);
  const textOf = (file: string) => readFileSync(join(shop.repository, ".codefudge/runs/named", file), "utf8");
  const config = JSON.parse(textOf("adapter_config.json"));
  assert.deepEqual([config.base_model_name_or_path, config.revision], ["org/tiny", COMMIT]);
  const card = textOf("README.md");
  assert.match(card, /^base_model: org\/tiny$/m);
  assert.ok(card.includes(`| Revision of the base | ${COMMIT} |`));
  assert.match(card, /^\| Commits \| \d+, from [0-9a-f]{40} to [0-9a-f]{40} \|$/m);
  assert.match(card, /^\| sha256 of the dataset \| [0-9a-f]{64} \|$/m);
  assert.match(card, /^\| held-out loss \| \d/m);
});

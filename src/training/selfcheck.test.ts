// The check of saved files: silent where they hold what was trained, a sentence where they load as something else.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createAdapter } from "../adapters/create.ts";
import { parseAdapter } from "../adapters/options.ts";
import { saveAdapter } from "../adapters/save.ts";
import { scaleAdapter } from "../adapters/scale.ts";
import { UserError } from "../base/errors.ts";
import { createRandom } from "../base/random.ts";
import { createModel } from "../models/table.ts";
import { openFolder } from "../weights/folder.ts";
import { Engine } from "./engine.ts";
import { checkSaved } from "./selfcheck.ts";

const temporary = mkdtempSync(join(tmpdir(), "codefudge-selfcheck-"));
after(() => rmSync(temporary, { recursive: true }));
const source = openFolder(new URL("../../test/golden/llama/tied", import.meta.url).pathname);
const model = createModel(source.config);
const base = { model, read: source.read };
const device = { threads: 1, arena: true };
const sequence = { ids: Int32Array.of(3, 1, 4, 1, 5, 9, 2, 6), promptLength: 3 };

for (const text of ["lora[r=2, target_modules=[q_proj, v_proj]]", "pfeiffer+inv[reduction_factor=4]"]) {
  test(`files that hold the trained adapter pass, weaker or empty ones do not: ${text}`, async () => {
    const random = createRandom(2);
    const adapter = createAdapter(parseAdapter(text), base, random);
    for (const { data } of adapter.arrays.values()) data.set(data.map(() => 0.2 * random.normal()));
    const engine = new Engine({ ...base, adapter, trainable: "adapter", device });
    const save = (factor: number) => {
      const folder = join(temporary, `${text.slice(0, 4)}-${factor}`);
      const facts = { model, name: "code", base: null, base_sha256: source.hash() };
      return saveAdapter(folder, scaleAdapter(adapter, factor, base), facts);
    };
    await checkSaved({ folders: save(1), ...base, engine, sequence, device });
    for (const factor of [0, 0.5]) {
      await assert.rejects(
        checkSaved({ folders: save(factor), ...base, engine, sequence, device }),
        (error) => error instanceof UserError && /to give what was trained, found losses/.test(error.message),
      );
    }
    await engine.dispose();
  });
}

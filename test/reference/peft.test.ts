// Adapters that we write, read by PEFT: no key missing or unexpected, logits equal to ours. Needs Python: the
// environment variable CODEFUDGE_VENV names a virtual environment with torch, transformers and peft. With
// CODEFUDGE_SMOLLM2 and CODEFUDGE_RUN (a finished run on it) the same is done with a real base and adapter.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Adapter, LoraConfig } from "../../src/adapters/adapter.ts";
import { createAdapter } from "../../src/adapters/create.ts";
import { parseAdapter } from "../../src/adapters/options.ts";
import { readPeft, writePeft } from "../../src/adapters/peft.ts";
import { createRandom } from "../../src/base/random.ts";
import { Decoder } from "../../src/generation/decoder.ts";
import { allParameters } from "../../src/models/model.ts";
import { createModel } from "../../src/models/table.ts";
import { writeModelFolder } from "../../src/weights/folder.ts";
import { openWeights } from "../../src/weights/open.ts";
import { writeSafetensors } from "../../src/weights/safetensors.ts";
import type { WeightSource } from "../../src/weights/source.ts";

const venv = process.env.CODEFUDGE_VENV;
const { CODEFUDGE_SMOLLM2: smollm2, CODEFUDGE_RUN: run } = process.env;
const TINY = new URL("../golden/llama/untied", import.meta.url).pathname;

test("PEFT reads a tiny adapter of ours", {
  skip: venv === undefined && "CODEFUDGE_VENV is not set",
}, async () => {
  const source = openWeights(TINY);
  const random = createRandom(3);
  const config = parseAdapter("rslora[r=4, lora_alpha=8, target_modules=[q_proj, down_proj]]") as LoraConfig;
  const base = { model: createModel(source.config), read: source.read };
  const adapter = createAdapter(config, base, random);
  for (const { data } of adapter.arrays.values()) data.set(data.map(() => 0.2 * random.normal()));
  await compare(source, { adapter, ids: Array.from({ length: 20 }, () => random.below(67)), stride: 1 });
});

const real = venv !== undefined && smollm2 !== undefined && run !== undefined;
test("PEFT reads a real adapter of ours", {
  skip: !real && "CODEFUDGE_VENV, _SMOLLM2 and _RUN are not all set",
}, async () => {
  const random = createRandom(4);
  const ids = Array.from({ length: 64 }, () => 300 + random.below(40000));
  await compare(openWeights(smollm2!), { adapter: readPeft(run!), ids, stride: 97, written: run! });
});

type Case = {
  readonly adapter: Adapter<LoraConfig>;
  readonly ids: readonly number[];
  readonly stride: number;
  /** The adapter's folder, where it has been written already. */
  readonly written?: string;
};

async function compare(source: WeightSource, { adapter, ids, stride, written }: Case): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "codefudge-peft-"));
  try {
    const model = createModel(source.config);
    const arrays = new Map(
      allParameters(model).map(({ name, shape }) => [name, { shape, data: () => source.read(name) }]),
    );
    writeModelFolder(join(folder, "model"), { config: source.config, arrays, tokenizerFiles: {} });
    const files = written ?? join(folder, "adapter");
    if (written === undefined) writePeft(files, adapter, { base_model_name_or_path: null });
    const device = { threads: 2, arena: true };
    const decoder = new Decoder({ model, read: source.read, adapter, capacity: ids.length, device });
    const rows: number[] = [];
    for (const id of ids) rows.push(...(await decoder.append([id])).filter((_, i) => i % stride === 0));
    await decoder.dispose();
    const logits = { shape: [ids.length, rows.length / ids.length], data: Float32Array.from(rows) };
    const given = { shape: [ids.length], data: Float32Array.from(ids) };
    const file = join(folder, "logits.safetensors");
    writeSafetensors(
      file,
      new Map([
        ["ids", given],
        ["logits", logits],
      ]),
      { stride: String(stride) },
    );
    const script = new URL("compare.py", import.meta.url).pathname;
    const python = join(venv!, "bin", "python");
    const printed = execFileSync(python, [script, join(folder, "model"), files, file], {
      encoding: "utf8",
    });
    const found = JSON.parse(printed.trim().split("\n").at(-1)!);
    assert.ok(found.difference < 1e-3, `logits differ by ${found.difference}`);
    assert.ok(found.effect > 10 * found.difference, `the adapter changes logits by ${found.effect} only`);
    assert.deepEqual(found.warnings, []);
    console.log(`largest difference ${found.difference}, effect of the adapter ${found.effect}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    source.dispose();
  }
}

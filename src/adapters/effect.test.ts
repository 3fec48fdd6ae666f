// What can be done with a trained adapter: opened, weakened, merged, combined, saved. Equality of the results with PEFT
// and transformers is in test/reference/adapters.test.ts.

import assert from "node:assert/strict";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { drawAdapter } from "../../test/drawn-adapter.ts";
import { UserError } from "../base/errors.ts";
import { createRandom } from "../base/random.ts";
import { Decoder } from "../generation/decoder.ts";
import { createModel } from "../models/table.ts";
import { openFolder } from "../weights/folder.ts";
import type { Adapter } from "./adapter.ts";
import { combineAdapters } from "./combine.ts";
import { createAdapter } from "./create.ts";
import { mergedModel } from "./merge.ts";
import { openAdapter } from "./open.ts";
import { parseAdapter } from "./options.ts";
import { requireSavable, saveAdapter } from "./save.ts";
import { scaleAdapter } from "./scale.ts";

const temporary = mkdtempSync(join(tmpdir(), "codefudge-effect-"));
after(() => rmSync(temporary, { recursive: true }));
const source = openFolder(new URL("../../test/golden/llama/untied", import.meta.url).pathname);
const base = { model: createModel(source.config), read: source.read, source };
const device = { threads: 1, arena: true };

const create = (text: string, seed = 1) => drawAdapter(text, base, seed);

async function logits(
  adapter: Adapter | null,
  read: (name: string) => Float32Array<ArrayBuffer> = source.read,
) {
  const decoder = new Decoder({ model: base.model, read, adapter, capacity: 16, device });
  try {
    return await decoder.append([3, 1, 4, 1, 5, 9, 2, 6]);
  } finally {
    await decoder.dispose();
  }
}

const distance = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

for (const text of [
  ...["rslora[r=2]", "dora[r=2]", "houlsby+inv", "par_bn"],
  "lora[target_modules=q_proj, modules_to_save=[norm]]",
]) {
  test(`scaled by 0 it is the base, by 1 itself, by a half between: ${text}`, async () => {
    const adapter = create(text);
    const [plain, full] = [await logits(null), await logits(adapter)];
    assert.ok(distance(plain, full) > 0.1);
    assert.ok(distance(await logits(scaleAdapter(adapter, 0, base)), plain) < 1e-5);
    assert.ok(distance(await logits(scaleAdapter(adapter, 1, base)), full) < 1e-5);
    const half = await logits(scaleAdapter(adapter, 0.5, base));
    assert.ok(distance(half, plain) > 0.01 && distance(half, full) > 0.01);
  });
}

for (const text of [
  "rslora[r=2]",
  "dora[r=2]",
  "lora[target_modules=v_proj, modules_to_save=[embed_tokens, norm]]",
]) {
  test(`merged it computes the same without an adapter: ${text}`, async () => {
    const adapter = create(text);
    const arrays = mergedModel(adapter, base);
    const read = (name: string) => Float32Array.from(arrays.get(name)!.data());
    assert.ok(distance(await logits(null, read), await logits(adapter)) < 1e-4);
  });
}

test("a bottleneck cannot be merged", () => {
  assert.throws(() => mergedModel(create("pfeiffer"), base), /Expected a LoRA to merge, found a bottleneck/);
});

test("LoRAs combined add up what each adds; where one has nothing it adds nothing", async () => {
  const parts = [
    create("lora[r=2, target_modules=[q_proj, up_proj]]"),
    create("rslora[r=4, target_modules=q_proj]", 2),
  ];
  const both = combineAdapters(parts.map((adapter, i) => ({ adapter, weight: [0.7, 0.4][i]! })));
  assert.deepEqual(both.arrays.get("model.layers.0.self_attn.q_proj.lora_A.weight")!.shape, [6, 32]);
  const weighted = parts.map((adapter, i) => scaleAdapter(adapter, [0.7, 0.4][i]!, base));
  const first = mergedModel(weighted[0]!, base);
  const both2 = mergedModel(both, base);
  const second = mergedModel(weighted[1]!, base);
  for (const name of ["model.layers.1.self_attn.q_proj.weight", "model.layers.2.mlp.up_proj.weight"]) {
    const [w, a, b, sum] = [source.read(name), ...[first, second, both2].map((m) => m.get(name)!.data())];
    const wanted = a!.map((value, i) => value + b![i]! - w![i]!);
    assert.ok(distance(sum!, wanted) < 1e-6, name);
  }
  const one = combineAdapters([{ adapter: parts[0]!, weight: 1 }]);
  assert.ok(distance(await logits(one), await logits(parts[0]!)) < 1e-5);
});

test("bottlenecks of one shape are averaged, others are not combined", () => {
  const [a, b] = [create("pfeiffer"), create("pfeiffer", 2)];
  const name = "model.layers.0.mlp.adapter_up.weight";
  const mean = combineAdapters([a, b].map((adapter) => ({ adapter, weight: 0.5 })));
  const wanted = (a.arrays.get(name)!.data[5]! + b.arrays.get(name)!.data[5]!) / 2;
  assert.ok(Math.abs(mean.arrays.get(name)!.data[5]! - wanted) < 1e-6);
  const refusal = (...adapters: Adapter[]) => {
    assert.throws(
      () => combineAdapters(adapters.map((adapter) => ({ adapter, weight: 1 }))),
      (error) => error instanceof UserError,
    );
  };
  refusal();
  refusal(a, create("houlsby"));
  refusal(a, create("lora"));
  refusal(create("dora"), create("dora"));
  refusal(create("lora"), create("lora[layers_to_transform=1]"));
});

const facts = { model: base.model, name: "code", base: "some/base", base_sha256: source.hash() };

test("saved and opened, a LoRA also as AdapterHub's where that can hold it", async () => {
  for (const [text, count] of [
    ["lora[target_modules=[q_proj, v_proj]]", 2],
    ["lora[r=2]", 1],
    ["houlsby+inv", 1],
  ] as const) {
    const folder = join(temporary, String(count) + text.length);
    const adapter = create(text);
    const written = saveAdapter(folder, adapter, facts);
    assert.equal(written.length, count, text);
    for (const path of written) {
      assert.ok(distance(await logits(openAdapter(path, base)), await logits(adapter)) < 1e-5, path);
    }
  }
});

test("an adapter for another base is refused by the hash of the weights", () => {
  const folder = join(temporary, "other");
  saveAdapter(folder, create("pfeiffer"), { ...facts, base_sha256: "ab".repeat(32) });
  assert.throws(
    () => openAdapter(folder, base),
    /Expected the base that the adapter in .* was trained on \(sha256 abababababab\), found other weights in /,
  );
  rmSync(join(folder, "codefudge_adapter.json"));
  assert.ok(openAdapter(folder, base));
});

test("what is no adapter is a sentence", () => {
  assert.throws(() => openAdapter(temporary, base), /found no adapter_config.json/);
  writeFileSync(join(temporary, "adapter_config.json"), "{}");
  assert.throws(
    () => openAdapter(temporary, base),
    /of PEFT \(peft_type\) or AdapterHub \(config\).*found neither/,
  );
});

test("a head that equals the base's is none of the adapter; another one is", () => {
  const folder = join(temporary, "head");
  const saved = create("seq_bn[modules_to_save=lm_head]");
  saved.arrays.get("lm_head.weight")!.data.set(source.read("lm_head.weight"));
  saveAdapter(folder, saved, facts);
  assert.ok(existsSync(join(folder, "pytorch_model_head.bin")));
  assert.deepEqual(openAdapter(folder, base).config.modules_to_save, []);
  const other = join(temporary, "other-head");
  cpSync(folder, other, { recursive: true });
  saveAdapter(other, create("seq_bn[modules_to_save=lm_head]"), facts);
  assert.deepEqual(openAdapter(other, base).config.modules_to_save, ["lm_head"]);
});

test("what no file could hold is refused before training", () => {
  requireSavable(parseAdapter("lora[modules_to_save=embed_tokens]"), base.model);
  assert.throws(
    () => requireSavable(parseAdapter("pfeiffer[modules_to_save=norm]"), base.model),
    /no place for modules_to_save norm; train a LoRA instead/,
  );
  assert.throws(
    () => requireSavable(parseAdapter("pfeiffer"), { ...base.model, model_type: "other" }),
    /Expected a model of type llama, .* for an adapter in AdapterHub's files, found other; train a LoRA instead/,
  );
});

test("files of the default kinds stay below 10 MB: a LoRA on SmolLM2-135M, pfeiffer+inv on the shape of T5-base", () => {
  const smol = JSON.parse(
    readFileSync(new URL("../../bench/shapes/smollm2-135m.json", import.meta.url), "utf8"),
  );
  const values = (adapter: Adapter) =>
    [...adapter.arrays.values()].reduce((n, { data }) => n + data.length, 0);
  const read = () => assert.fail("no weight is needed");
  const lora = createAdapter(parseAdapter("lora"), { model: createModel(smol), read }, createRandom(1));
  assert.ok(values(lora) * 4 < 9.9e6, `${values(lora) * 4} bytes`);
  // T5-base: 12 blocks of the encoder and 12 of the decoder, each with one feed-forward layer; 768 channels.
  const t5 = { ...base.model, hidden_size: 768, num_hidden_layers: 24 };
  const pfeiffer = createAdapter(parseAdapter("pfeiffer+inv"), { model: t5, read }, createRandom(1));
  assert.ok(values(pfeiffer) * 4 < 9.9e6, `${values(pfeiffer) * 4} bytes`);
});

// Adapters on a model with an encoder and a decoder: sizes, which blocks are meant, and what of it the files of PEFT and
// AdapterHub can say.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { sizeOf } from "../base/dtype.ts";
import { createRandom } from "../base/random.ts";
import { t5 } from "../models/t5.ts";
import { openSafetensors } from "../weights/safetensors.ts";
import type { Adapter } from "./adapter.ts";
import { createAdapter } from "./create.ts";
import { writeHub } from "./hub.ts";
import { allArrays } from "./kinds.ts";
import { openAdapter } from "./open.ts";
import { parseAdapter } from "./options.ts";
import { requireSavable, saveAdapter } from "./save.ts";

const root = mkdtempSync(join(tmpdir(), "codefudge-twofold-"));
after(() => rmSync(root, { recursive: true, force: true }));

/** google/t5-v1_1-base. */
const base = t5({
  ...{
    model_type: "t5",
    vocab_size: 32128,
    d_model: 768,
    d_kv: 64,
    d_ff: 2048,
    num_layers: 12,
    num_heads: 12,
  },
  ...{ feed_forward_proj: "gated-gelu", tie_word_embeddings: false },
});
const SMALL = {
  ...{ vocab_size: 40, d_model: 16, d_kv: 4, d_ff: 20, num_layers: 2, num_decoder_layers: 3, num_heads: 2 },
  feed_forward_proj: "gated-gelu",
};
const small = t5({ ...SMALL, tie_word_embeddings: false });
const read = (name: string) => new Float32Array(/^(shared|lm_head)/.test(name) ? 40 * 16 : 0);

function make(text: string, model = small): Adapter {
  return createAdapter(parseAdapter(text), { model, read }, createRandom(1));
}

test("pfeiffer+inv on the shape of a T5 base is a file of less than 10 MB", () => {
  const folder = join(root, "base");
  const adapter = make("pfeiffer+inv", base);
  writeHub(folder, adapter, { model: base, name: "codefudge", model_name: null });
  const numbers = allArrays(adapter.config, base).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  // Of 24 blocks down and up with biases; of F and G, 384 to 192 and back.
  assert.equal(numbers, 24 * (2 * 768 * 48 + 48 + 768) + 2 * (2 * 384 * 192 + 192 + 384));
  for (const file of ["adapter.safetensors", "pytorch_adapter.bin"]) {
    const { size } = statSync(join(folder, file));
    assert.ok(size > 4 * numbers && size < 10e6, `${file} has ${size} bytes`);
  }
});

test("places: joins by role, layers by number within a chain (LoRA) or over both (bottleneck)", () => {
  const names = (text: string) => [...make(text).arrays.keys()];
  assert.deepEqual(
    names("seq_bn[leave_out=0-3]").filter((name) => name.endsWith("down.weight")),
    ["decoder.block.2.layer.2.adapter_down.weight"],
  );
  assert.deepEqual(
    names("lora[target_modules=[k], layers_to_transform=1]").filter((name) => name.includes("lora_A")),
    [
      "encoder.block.1.layer.0.SelfAttention.k.lora_A.weight",
      "decoder.block.1.layer.0.SelfAttention.k.lora_A.weight",
      "decoder.block.1.layer.1.EncDecAttention.k.lora_A.weight",
    ],
  );
  assert.throws(() => make("lora[target_modules=[q_proj]]"), {
    name: "UserError",
    message: /Expected target_modules among q, k, v, o, wi_0, wi_1, wo, found q_proj/,
  });
});

test("the embedding that both share: a copy in PEFT's files for each that has one, and one again when read", () => {
  const tied = t5({ ...SMALL, tie_word_embeddings: true });
  for (const [model, modules, copies] of [
    [small, ["embed_tokens"], 2],
    [tied, ["embed_tokens", "lm_head"], 3],
  ] as const) {
    const adapter = make("lora[target_modules=[q], modules_to_save=[shared]]", model);
    const embedding = adapter.arrays.get("shared.weight")!;
    embedding.data.forEach((_, i) => {
      embedding.data[i] = i % 7;
    });
    const folder = join(root, `shared${copies}`);
    const facts = { model, name: "codefudge", base: null, base_sha256: "0".repeat(64) };
    assert.deepEqual(saveAdapter(folder, adapter, facts), [folder]);
    const written = JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8"));
    assert.deepEqual([written.modules_to_save, written.ensure_weight_tying], [modules, false]);
    const file = openSafetensors(join(folder, "adapter_model.safetensors"));
    const names = [...file.arrays.keys()].filter((name) => !name.includes("lora"));
    file.dispose();
    assert.equal(names.length, copies);
    const again = openAdapter(folder, { model, read });
    assert.deepEqual([...again.arrays.keys()].sort(), [...adapter.arrays.keys()].sort());
    assert.deepEqual(again.arrays.get("shared.weight"), embedding);
    assert.deepEqual(again.config.modules_to_save, ["shared"]);
  }
  assert.throws(
    () => requireSavable(parseAdapter("pfeiffer[modules_to_save=[shared]]"), tied),
    /no place for modules_to_save shared/,
  );
});

test("with a bottleneck the embedding of an untied model is the file that load_embeddings opens", () => {
  const adapter = make("pfeiffer[modules_to_save=[shared, lm_head]]");
  const embedding = adapter.arrays.get("shared.weight")!;
  embedding.data.forEach((_, i) => {
    embedding.data[i] = i % 5;
  });
  const folder = join(root, "embedding");
  saveAdapter(folder, adapter, { model: small, name: "codefudge", base: null, base_sha256: "0".repeat(64) });
  assert.ok(statSync(join(folder, "embedding.pt")).size > 4 * embedding.data.length);
  const again = openAdapter(folder, { model: small, read });
  assert.deepEqual(again.config.modules_to_save, ["shared", "lm_head"]);
  assert.deepEqual(again.arrays.get("shared.weight"), embedding);
  assert.deepEqual([...again.arrays.keys()].sort(), [...adapter.arrays.keys()].sort());
});

test("files: what AdapterHub has no place for is written as PEFT's alone, and both are read back", () => {
  const facts = { model: small, name: "codefudge", base: null, base_sha256: "0".repeat(64) };
  const saved = (text: string, folder: string) => saveAdapter(join(root, folder), make(text), facts);
  assert.equal(saved("lora[target_modules=[q, o]]", "o").length, 1);
  assert.equal(saved("lora[target_modules=[layer.0.SelfAttention.q]]", "self").length, 1);
  const both = saved("lora[target_modules=[q, wi_1], layers_to_transform=[0, 2]]", "both");
  assert.equal(both.length, 2);
  const [peft, hub] = both.map((folder) =>
    JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8")),
  );
  assert.deepEqual([peft.task_type, peft.layers_pattern], ["SEQ_2_SEQ_LM", "block"]);
  assert.deepEqual(hub.config.leave_out, [1, 3]);
  const self = JSON.parse(readFileSync(join(root, "self", "adapter_config.json"), "utf8"));
  assert.deepEqual(self.target_modules, ["layer.0.SelfAttention.q"]);
  for (const folder of [join(root, "o"), join(root, "self"), ...both]) {
    const again = openAdapter(folder, { model: small, read });
    assert.ok(again.arrays.size > 0);
  }
  const path = join(both[1]!, "adapter_config.json");
  const uneven = { ...hub, config: { ...hub.config, leave_out: [1] } };
  writeFileSync(path, JSON.stringify(uneven));
  assert.throws(() => openAdapter(both[1]!, { model: small, read }), {
    name: "UserError",
    message:
      /Expected leave_out to leave out the same blocks of encoder and decoder in .*, found only one of each block 1;/,
  });
});

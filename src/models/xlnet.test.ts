// XLNet against transformers, PEFT and adapters on tiny random weights: loss and every gradient, of weights and of
// adapters, sequences padded on the left to lengths around theirs; the golden numbers (test/golden/xlnet) are of single
// ones. Logits and greedy continuations: generation/xlnet-decoder.test.ts.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type { Adapter } from "../adapters/adapter.ts";
import { hubName } from "../adapters/hub.ts";
import { openAdapter } from "../adapters/open.ts";
import { openNetwork } from "../training/network.ts";
import { openFolder } from "../weights/folder.ts";
import { requireParameters } from "../weights/match.ts";
import { openSafetensors } from "../weights/safetensors.ts";
import { distanceWaves, parseXLNetConfig, type XLNet, xlnet, xlnetParameters } from "./xlnet.ts";

const GOLDEN = new URL("../../test/golden/xlnet/", import.meta.url).pathname;
const json = (path: string) => JSON.parse(readFileSync(`${GOLDEN}${path}`, "utf8"));
const sequences = (json("sequences.json").sequences as { ids: number[]; promptLength: number }[]).map(
  ({ ids, promptLength }) => ({ ids: Int32Array.from(ids), promptLength }),
);
const TOKENS = sequences.reduce((sum, { ids, promptLength }) => sum + ids.length - promptLength, 0);

/** Largest difference over the largest magnitude of an array. */
function relative(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  assert.equal(found.length, wanted.length);
  const size = Array.from(wanted).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return (
    Array.from(wanted).reduce((most, value, i) => Math.max(most, Math.abs(value - found[i]!)), 0) /
    (size || 1)
  );
}

test("waves of distances are the reference's", () => {
  const { first, d_model, rows } = json("waves.json") as {
    first: number;
    d_model: number;
    rows: Record<string, number[]>;
  };
  const waves = distanceWaves({ d_model, n_head: 2, d_head: 32, clamp_len: -1 }, { first, count: 2 * first });
  for (const [row, wanted] of Object.entries(rows)) {
    const found = waves.subarray(Number(row) * d_model, (Number(row) + 1) * d_model);
    assert.ok(relative(found, wanted) < 5e-5, `distance ${first - Number(row)}`);
  }
});

type Case = { readonly variant: string; readonly folder: string };

const kinds: Case[] = readdirSync(`${GOLDEN}kinds`).map((name) => {
  const { base } = json(`kinds/${name}/expected.json`);
  return { variant: base, folder: `kinds/${name}` };
});

for (const { variant, folder } of [
  ...["tied", "untied"].map((name) => ({ variant: name, folder: name })),
  ...kinds,
]) {
  for (const rows of [1, 3]) {
    test(`${folder}: loss and gradients, ${rows} together`, async () => {
      const source = openFolder(`${GOLDEN}${variant}`);
      const model = xlnet(source.config);
      requireParameters(xlnetParameters(model), source);
      const adapter =
        folder === variant ? null : openAdapter(`${GOLDEN}${folder}/adapter`, { model, ...source });
      const network = openNetwork({
        ...{ model, read: source.read, adapter, trainable: adapter ? "adapter" : "all" },
        device: { threads: 1, arena: true },
      });
      const batches = network.pack(sequences, rows);
      let [loss, evaluated] = [0, 0];
      for (const batch of batches) {
        loss += (await network.accumulate(batch)) / TOKENS;
        evaluated += (await network.evaluate(batch)).reduce((sum, nll) => sum + nll / TOKENS, 0);
      }
      const wanted = json(`${folder}/expected.json`).loss;
      assert.ok(Math.abs(loss - wanted) / wanted < 1e-5, `loss ${loss}, expected ${wanted}`);
      assert.ok(Math.abs(evaluated - wanted) / wanted < 1e-5, `loss ${evaluated}, expected ${wanted}`);
      const slopes = openSafetensors(`${GOLDEN}${folder}/gradients.safetensors`);
      const names = new Map([...network.trained.keys()].map((name) => [nameOf(name, model, adapter), name]));
      assert.deepEqual([...names.keys()].sort(), [...slopes.arrays.keys()].sort());
      for (const [theirs, name] of names) {
        const mean = network.trained.get(name)!.gradient.map((value) => value / TOKENS);
        const difference = relative(mean, slopes.read(theirs));
        assert.ok(difference < 1e-4, `${name}: relative difference ${difference}`);
      }
      await network.dispose();
    });
  }
}

/** What the library calls one of our trained arrays. */
function nameOf(name: string, model: XLNet, adapter: Adapter | null): string {
  if (adapter === null) return name;
  return adapter.config.kind === "lora" ? `base_model.model.${name}` : hubName(name, model, "code");
}

test("settings: names of either generation, and what is not computed is refused", () => {
  const least = { vocab_size: 10, d_model: 32, n_layer: 1, n_head: 2, d_inner: 8 };
  const { d_head, ff_activation, tie_word_embeddings, clamp_len } = parseXLNetConfig(least);
  assert.deepEqual([d_head, ff_activation, tie_word_embeddings, clamp_len], [16, "gelu", true, -1]);
  assert.equal(parseXLNetConfig({ ...least, vocab_size: undefined, n_token: 12 }).vocab_size, 12);
  for (const wrong of [
    { attn_type: "uni" },
    { bi_data: true },
    { d_head: 8 },
    { ff_activation: "swish" },
    { n_head: 3 },
    { d_model: 33, n_head: 3 },
  ]) {
    assert.throws(() => xlnet({ ...least, ...wrong }), { name: "UserError" });
  }
});

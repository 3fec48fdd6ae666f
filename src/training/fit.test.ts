// Plans of a decoder with an adapter over all budgets: what is predicted fits, more memory is never a worse plan, and what
// is refused names a budget that is then accepted.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAdapter } from "../adapters/options.ts";
import { UserError } from "../base/errors.ts";
import { parseValue } from "../base/options.ts";
import { createModel } from "../models/table.ts";
import { type Fit, fitsUnrounded, planFit } from "./fit.ts";
import type { Shape } from "./plan.ts";

const model = createModel({
  model_type: "llama",
  vocab_size: 49152,
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  tie_word_embeddings: true,
});
const adapter = parseAdapter("lora");
const f32: Shape = { model, trained: 2_400_000, adapter: true };
const shapes = { f32, int8: { ...f32, compute: "int8" } } as const;
const wish = { max_length: null, per_device_train_batch_size: 2, memory: null };

function plan(shape: Shape, memory: number | null, max_length: number | null = null): Fit {
  return planFit({ shape, adapter }, { ...wish, memory, max_length }, 3e9);
}

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof UserError);
    return error.message;
  }
  return assert.fail("a plan where none was expected");
}

for (const [name, shape] of Object.entries(shapes)) {
  test(`a plan stays within its budget, and a larger one is never worse: ${name}`, () => {
    let [longest, accepted, streams] = [0, 0, true];
    for (let memory = 300e6; memory < 8e9; memory *= 1.05) {
      let sizes: Fit["sizes"];
      try {
        ({ sizes } = plan(shape, memory));
      } catch (error) {
        assert.ok(error instanceof UserError);
        assert.equal(accepted, 0, `${memory} is refused and a smaller budget was not`);
        continue;
      }
      accepted++;
      assert.ok(sizes.memory <= memory, `${sizes.memory} planned within ${memory}`);
      // Weights that need not be read anew are worth more than length.
      if (streams && !sizes.streams) longest = 0;
      assert.ok(streams || !sizes.streams, `weights are read anew at ${memory} and not below it`);
      streams = sizes.streams;
      assert.ok(sizes.max_length >= longest, `${sizes.max_length} at ${memory}, ${longest} below it`);
      longest = sizes.max_length;
    }
    assert.ok(accepted > 10);
    assert.deepEqual([longest, streams], [512, false]);
  });

  test(`a refusal names the smallest budget, which is then accepted: ${name}`, () => {
    for (const max_length of [null, 512, 1536]) {
      const message = refusal(() => plan(shape, 1e6, max_length));
      const named = /give --memory (\S+) /.exec(message)?.[1];
      assert.ok(named, message);
      const least = Number(parseValue("memory", { type: "bytes", default: null, help: "" }, named));
      assert.ok(plan(shape, least, max_length).sizes.memory <= least);
      assert.match(
        refusal(() => plan(shape, least - 2e6, max_length)),
        new RegExp(`give --memory ${named} `),
      );
    }
  });
}

test("where memory is short rounded weights are held once, and twice where there is enough", () => {
  const [tight, roomy] = [plan(shapes.int8, 600e6), plan(shapes.int8, 3e9)];
  assert.deepEqual([tight.kept.once, tight.sizes.streams], [true, false]);
  assert.deepEqual([roomy.kept.once, roomy.kept.keeping], [false, "all"]);
});

test("without a budget the batch is the one asked for, whatever is kept", () => {
  const { sizes } = plan(shapes.int8, null);
  assert.deepEqual([sizes.max_length, sizes.batch], [512, 2]);
});

test("where rounded weights fail their check f32 ones are held only if they fit", () => {
  const fits = (memory: number | null) => {
    const fit = planFit({ shape: shapes.int8, adapter }, { ...wish, memory }, 3e9);
    return fitsUnrounded(shapes.int8, fit, memory);
  };
  assert.deepEqual([fits(600e6), fits(3e9), fits(null)], [false, true, true]);
  assert.equal(fitsUnrounded(shapes.f32, plan(shapes.f32, 3e9), 1), true);
});

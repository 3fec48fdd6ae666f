// T5 as GGUF, written by the `gguf` Python package (test/golden/t5/make_gguf.py): Hugging Face's names and configuration
// again, and the same network as the model folder beside it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { everyParameter } from "../models/encoder-decoder.ts";
import { parseT5Config } from "../models/t5.ts";
import { createAnyModel } from "../models/table.ts";
import { openFolder } from "./folder.ts";
import { openGguf } from "./gguf.ts";
import { requireParameters } from "./match.ts";

const GOLDEN = fileURLToPath(new URL("../../test/golden/t5/", import.meta.url));
/** The one array that is rounded. */
const QUANTISED = /^decoder\.block\.1\.layer\.2\.DenseReluDense\.wi(_1)?\.weight$/;

for (const variant of ["v1.0", "v1.1"]) {
  test(`a T5 ${variant} has Hugging Face's names, configuration and numbers`, () => {
    const found = openGguf(`${GOLDEN}${variant}/model.gguf`);
    const wanted = openFolder(`${GOLDEN}${variant}`);
    assert.deepEqual([...found.arrays.keys()].sort(), [...wanted.arrays.keys()].sort());
    assert.deepEqual(parseT5Config(found.config), {
      ...parseT5Config(wanted.config),
      // llama.cpp knows no other; the file does not say it.
      relative_attention_max_distance: 128,
    });
    const { model_type, architectures, eos_token_id, pad_token_id } = found.config;
    assert.deepEqual(
      [model_type, architectures, eos_token_id, pad_token_id],
      ["t5", ["T5ForConditionalGeneration"], 1, 0],
    );
    requireParameters(everyParameter(createAnyModel(found.config)), found);
    for (const [name, { shape }] of wanted.arrays) {
      assert.deepEqual(found.arrays.get(name)!.shape, shape, name);
      const [a, b] = [found.read(name), wanted.read(name)];
      const { storage } = found.arrays.get(name)!;
      assert.equal(storage === "Q8_0", QUANTISED.test(name), `${name} is ${storage}`);
      if (storage !== "Q8_0") assert.deepEqual(a, b, name);
      else
        assert.ok(
          a.every((value, i) => Math.abs(value - b[i]!) < 0.01),
          name,
        );
    }
    found.dispose();
    wanted.dispose();
  });
}

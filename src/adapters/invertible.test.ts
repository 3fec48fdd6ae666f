// The invertible adapter: its inverse gives back what it was given, for odd sizes too, and the coupling is NICE's.

import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate, numbersOf } from "../../test/evaluate.ts";
import { sizeOf } from "../base/dtype.ts";
import { createRandom } from "../base/random.ts";
import { input } from "../graph/tensor.ts";
import type { BottleneckConfig } from "./adapter.ts";
import { createParameters } from "./hooks.ts";
import { invert, invertibleArrays, transform } from "./invertible.ts";
import { parseAdapter } from "./options.ts";

const config = parseAdapter("pfeiffer+inv[non_linearity=tanh]") as BottleneckConfig;

for (const size of [8, 7]) {
  test(`the inverse undoes it, ${size} channels`, async () => {
    const random = createRandom(size);
    const planned = invertibleArrays(config, size);
    const { parameter } = createParameters(planned);
    const numbers: Record<string, Float32Array> = {};
    for (const { name, shape } of planned) {
      numbers[name] = Float32Array.from({ length: sizeOf(shape) }, () => random.normal());
    }
    numbers.x = Float32Array.from({ length: 3 * size }, () => random.normal());
    const y = transform(config, parameter, input("x", "float32", [3, size]));
    const results = await evaluate({ y, again: invert(config, parameter, y) }, numbers);
    const again = numbersOf(results, "again");
    again.forEach((value, i) => void assert.ok(Math.abs(value - numbers.x![i]!) < 1e-5));
    const change = numbersOf(results, "y").map((value, i) => Math.abs(value - numbers.x![i]!));
    assert.ok(Math.max(...change) > 0.1, "it does something");
  });
}

test("y1 = x1 + F(x2), y2 = x2 + G(y1)", async () => {
  const plain = { ...config, non_linearity: "linear", inv_adapter_reduction_factor: 1 } as const;
  const { parameter } = createParameters(invertibleArrays(plain, 2));
  const one = (value: number) => Float32Array.of(value);
  const numbers = Object.fromEntries(
    ["F.0", "F.2", "G.0", "G.2"].flatMap((path, i) => [
      [`invertible_adapters.${path}.weight`, one([2, 1, 1, 3][i]!)],
      [`invertible_adapters.${path}.bias`, one([0, 1, 0, 0][i]!)],
    ]),
  );
  const y = transform(plain, parameter, input("x", "float32", [1, 2]));
  const results = await evaluate({ y }, { ...numbers, x: Float32Array.of(10, 5) });
  const y1 = 10 + (2 * 5 + 1);
  assert.deepEqual(numbersOf(results, "y"), [y1, 5 + 3 * y1]);
});

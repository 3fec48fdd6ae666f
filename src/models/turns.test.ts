// A function of rows in parts against the same at once: equal values and gradients, of what it is given and of what is
// trained in it, and less memory.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { linear, mul, sigmoid } from "../graph/build.ts";
import { gradients } from "../graph/gradient.ts";
import { writeProgram } from "../graph/onnx.ts";
import { peakBytes } from "../graph/peak.ts";
import { input, type Tensor } from "../graph/tensor.ts";
import { type Buffers, compile, createBuffer } from "../runtime/device.ts";
import { inRowParts } from "./turns.ts";

const [count, width, inner] = [100, 8, 64];
const random = createRandom(4);
const buffer = (shape: number[]) => {
  const size = shape.reduce((n, extent) => n * extent, 1);
  return createBuffer(
    "float32",
    shape,
    Float32Array.from({ length: size }, () => random.uniform() - 0.5),
  );
};
const shapes = { x: [count, width], before: [width, width], up: [inner, width], down: [width, inner] };
const feeds: Buffers = Object.fromEntries(
  Object.entries({ ...shapes, dy: [count, width] }).map(([name, shape]) => [name, buffer(shape)]),
);

function build(rows: number) {
  const [x, before, up, down] = Object.entries(shapes).map(([name, shape]) => input(name, "float32", shape));
  const feed = (part: Tensor) => {
    const high = linear(part, up!);
    return linear(mul(high, sigmoid(high)), down!);
  };
  const parts = { rows, trained: new Set(["before", "up", "down"]) };
  const y = inRowParts(linear(x!, before!), feed, parts);
  const seed = { output: y, gradient: input("dy", "float32", [count, width]) };
  const given = gradients([seed], [x!, before!, up!, down!]);
  return { y, ...Object.fromEntries(given.map((gradient, i) => [`d${i}`, gradient])) };
}

async function run(rows: number) {
  const program = await compile(writeProgram("parts", build(rows)), { threads: 1, arena: true });
  const out = await program.run(feeds);
  await program.dispose();
  return out;
}

test("rows in parts are the same as all at once, and hold less", async () => {
  const whole = await run(count);
  for (const rows of [50, 30]) {
    const parts = await run(rows);
    for (const [name, { data }] of Object.entries(whole)) {
      const [wanted, found] = [data as Float32Array, parts[name]!.data as Float32Array];
      const size = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      assert.ok(size > 0.1, name);
      const worst = found.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0) / size;
      assert.ok(worst < 1e-5, `${name}: ${worst}`);
    }
  }
  assert.ok(peakBytes(build(25)) < peakBytes(build(count)) / 2);
});

// Every operator against finite differences, from the op table alone: the analytic gradient of Σ w∘y, run as a
// program, against differences of the same sum. An operator without a gradient must say why.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { TypedArray } from "../src/base/dtype.ts";
import { sizeOf } from "../src/base/dtype.ts";
import { applyAll, mul, reduceSum, reshape } from "../src/graph/build.ts";
import { gradients } from "../src/graph/gradient.ts";
import { writeProgram } from "../src/graph/onnx.ts";
import type { Sample } from "../src/graph/op.ts";
import { ops } from "../src/graph/ops/table.ts";
import { uniform } from "../src/graph/sample.ts";
import { type Constant, input, scalar, type Tensor } from "../src/graph/tensor.ts";
import { type Buffers, compile, createBuffer } from "../src/runtime/device.ts";

const STEP = 1 / 128;

for (const op of ops.values()) {
  op.samples().forEach((sample, i) => {
    if ("none" in op.gradient) return;
    test(`gradient of ${op.name}, sample ${i + 1}`, () => checkGradient(op.name, sample));
  });
  test(`${op.name} has a gradient or says why not`, () => {
    if ("none" in op.gradient) assert.ok(op.gradient.none.length > 5);
    else assert.ok(op.samples().length > 0);
  });
}

async function checkGradient(name: string, sample: Sample): Promise<void> {
  const gradient = ops.get(name)!.gradient as Exclude<
    typeof ops extends Map<string, infer O> ? O : never,
    never
  >;
  assert.ok(gradient);
  const inputs = sample.inputs.map((tensor, i) =>
    isInput(name, i, tensor) ? input(`x${i}`, tensor.dtype, tensor.shape) : tensor,
  );
  const y = applyAll(name, inputs, sample.attributes)[0]!;
  const weights = uniform(y.shape, 0.5, 1.5);
  const loss = reduceSum(reshape(mul(y, weights), [sizeOf(y.shape)]), [0]);
  const wrt = inputs.filter(
    (tensor) =>
      tensor.source.kind === "input" && tensor.dtype === "float32" && flows(name, inputs.indexOf(tensor)),
  );
  const given = gradients([{ output: loss, gradient: scalar(1) }], wrt);
  const program = writeProgram(name, { loss, ...Object.fromEntries(given.map((g, i) => [`g${i}`, g])) });
  const executable = await compile(program, { threads: 1, arena: true });
  const feeds: Record<string, ReturnType<typeof createBuffer>> = {};
  inputs.forEach((tensor, i) => {
    if (tensor.source.kind === "input" && program.inputs[`x${i}`]) {
      const values = (sample.inputs[i]!.source as Constant).values.slice() as TypedArray;
      feeds[`x${i}`] = createBuffer(tensor.dtype, tensor.shape, values);
    }
  });
  const results = await executable.run(feeds);
  for (const [k, tensor] of wrt.entries()) {
    const analytic = Array.from(results[`g${k}`]!.data as Float32Array);
    const values = feeds[`x${inputs.indexOf(tensor)}`]!.data as Float32Array;
    const lossAt = async (at: number, value: number) => {
      const before = values[at]!;
      values[at] = value;
      const { loss: out } = await executable.run(feeds as Buffers);
      values[at] = before;
      return Number(out!.data[0]);
    };
    for (let at = 0; at < values.length; at++) {
      const x = values[at]!;
      const numeric = ((await lossAt(at, x + STEP)) - (await lossAt(at, x - STEP))) / (2 * STEP);
      const scale = Math.max(1, Math.abs(numeric));
      assert.ok(
        Math.abs(analytic[at]! - numeric) / scale < 4e-3,
        `${name}: input ${inputs.indexOf(tensor)} element ${at}: analytic ${analytic[at]}, numeric ${numeric}`,
      );
    }
  }
  await executable.dispose();
}

/** Axes, shapes and pads stay constants: shape rules read their values. */
function isInput(_name: string, _index: number, tensor: Tensor): boolean {
  return tensor.dtype === "float32" || tensor.dtype === "bool";
}

/** Inputs to which the rule itself gives no gradient, such as the angles of a rotation. */
function flows(name: string, index: number): boolean {
  return !(name === "RotaryEmbedding" && index > 0);
}

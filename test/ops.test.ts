// Every operator of the table on its own samples: what onnxruntime gives has the shape and dtype that the shape rule
// says, and the analytic gradient of Σ w∘y agrees with finite differences of the same sum.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { TypedArray } from "../src/base/dtype.ts";
import { sizeOf } from "../src/base/dtype.ts";
import { add, apply, applyAll, mul, reduceSum, reshape } from "../src/graph/build.ts";
import { gradients } from "../src/graph/gradient.ts";
import { writeProgram } from "../src/graph/onnx.ts";
import type { GradientRule, Op, Sample } from "../src/graph/op.ts";
import { ops } from "../src/graph/ops/table.ts";
import { uniform } from "../src/graph/sample.ts";
import { type Constant, input, scalar, type Tensor } from "../src/graph/tensor.ts";
import { type Buffer, compile, createBuffer, type Executable } from "../src/runtime/device.ts";

const STEP = 1 / 128;
const TOLERANCE = 4e-3;

for (const op of ops.values()) {
  test(`${op.name} has samples, and a gradient or says why not`, () => {
    assert.ok(op.samples().length > 0);
    const { gradient } = op;
    if ("none" in gradient) assert.ok(gradient.none.length > 5);
    if ("stops" in gradient) assert.ok(gradient.stops.length > 5);
  });
  op.samples().forEach((sample, i) => {
    test(`shape of ${op.name}, sample ${i + 1}`, () => checkShape(op, sample));
    const { gradient } = op;
    if ("none" in gradient || "stops" in gradient) return;
    test(`gradient of ${op.name}, sample ${i + 1}`, () => checkGradient(op, gradient, sample));
  });
}

async function checkShape(op: Op, sample: Sample): Promise<void> {
  const { inputs, feeds } = open(sample);
  const outputs = applyAll(op.name, inputs, sample.attributes);
  const named = Object.fromEntries(outputs.map((tensor, i) => [`y${i}`, tensor]));
  const executable = await compile(writeProgram(op.name, named), { threads: 1, arena: true });
  const results = await executable.run(feeds);
  for (const [name, { dtype, shape }] of Object.entries(named)) {
    // The buffer's own shape is what the program says; the handle's is what the kernel gave.
    const { type, dims } = results[name]!.handle as { type: string; dims: readonly number[] };
    assert.deepEqual({ dtype: type, shape: [...dims] }, { dtype, shape: [...shape] });
  }
  await executable.dispose();
}

async function checkGradient(op: Op, rule: GradientRule, sample: Sample): Promise<void> {
  const { inputs, feeds } = open(sample);
  const outputs = applyAll(op.name, inputs, sample.attributes);
  const attributes = sample.attributes ?? {};
  const flowing = rule({ inputs, outputs, attributes, dy: outputs[0]!, dys: outputs, apply });
  const wrt = inputs.filter((_, i) => flowing[i] != null);
  assert.ok(wrt.length > 0, "a rule without any gradient");
  for (const [i, gradient] of flowing.entries()) {
    if (gradient) assert.deepEqual([...gradient.shape], [...inputs[i]!.shape], `gradient of input ${i}`);
  }
  const sums = outputs.map((y) =>
    reduceSum(reshape(mul(y, uniform(y.shape, 0.5, 1.5)), [sizeOf(y.shape)]), [0]),
  );
  const loss = sums.reduce((sum, part) => add(sum, part));
  const given = gradients([{ output: loss, gradient: scalar(1) }], wrt);
  const named = Object.fromEntries(given.map((gradient, i) => [`g${i}`, gradient]));
  const executable = await compile(writeProgram(op.name, { loss, ...named }), { threads: 1, arena: true });
  const results = await executable.run(feeds);
  for (const [i, tensor] of wrt.entries()) {
    const at = { feeds, name: `x${inputs.indexOf(tensor)}` };
    const numeric = await differences(executable, at);
    const analytic = results[`g${i}`]!.data;
    assert.equal(analytic.length, numeric.length);
    numeric.forEach((value, k) => {
      const message = `${at.name}[${k}]: analytic ${analytic[k]}, numeric ${value}`;
      assert.ok(Math.abs(Number(analytic[k]) - value) <= TOLERANCE * Math.max(1, Math.abs(value)), message);
    });
  }
  await executable.dispose();
}

type Feeds = Readonly<Record<string, Buffer>>;

/** Central differences of the loss for each element of one input. */
async function differences(
  executable: Executable,
  { feeds, name }: { feeds: Feeds; name: string },
): Promise<number[]> {
  const values = feeds[name]!.data as Float32Array;
  const found: number[] = [];
  for (const [at, x] of values.slice().entries()) {
    const losses: number[] = [];
    for (const value of [x - STEP, x + STEP]) {
      values[at] = value;
      losses.push(Number((await executable.run(feeds)).loss!.data[0]));
    }
    values[at] = x;
    found.push((losses[1]! - losses[0]!) / (2 * STEP));
  }
  return found;
}

/** A sample with its numbers as inputs x0, x1…; int64 stay constants, because shape rules read axes and shapes. */
function open({ inputs }: Sample): { inputs: Tensor[]; feeds: Feeds } {
  const feeds: Record<string, Buffer> = {};
  const opened = inputs.map((tensor, i) => {
    if (tensor.dtype === "int64") return tensor;
    const values = (tensor.source as Constant).values.slice() as TypedArray;
    feeds[`x${i}`] = createBuffer(tensor.dtype, tensor.shape, values);
    return input(`x${i}`, tensor.dtype, tensor.shape);
  });
  return { inputs: opened, feeds };
}

// The loss of targets over a vocabulary whose matrix nothing trains, a part of the matrix at a time: largest logit, sum
// of exponentials and the rows mixed by them are carried from part to part (Milakov and Gimelshein, 2018: online
// normalizer calculation for softmax), so that logits are held of one part only and the matrix is read once for loss
// and gradient together. It may be held in 16 bits; a part is f32 while it is multiplied.

import { headStage, outerParameters } from "../adapters/hooks.ts";
import { sizeOf } from "../base/dtype.ts";
import { add, apply, asFloat, gather, mul, reduceSum, reshape, sub } from "../graph/build.ts";
import { gradients } from "../graph/gradient.ts";
import { writeProgram } from "../graph/onnx.ts";
import type { Program } from "../graph/program.ts";
import { input, int64s, scalar, type Tensor } from "../graph/tensor.ts";
import type { Parameter } from "../models/model.ts";
import { type Buffer, createBuffer } from "../runtime/device.ts";
import { halfError, toHalf } from "../weights/half.ts";
import type { WeightSource } from "../weights/source.ts";
import { outerOf } from "./block-weights.ts";
import { matrixType, type Setup, type VocabularyForm } from "./stages.ts";

/** How many targets a run takes, and whether their gradients are wanted. */
export type HeadExtent = { readonly targets: number; readonly backward: boolean };

/** Rows of a part: their f32 copy stays in the cache between two products. */
export const PART = 2048;

/** Whether the head goes in parts: nothing trains its matrix, and no more is wanted of it than the plain loss. */
export function goesInParts({ model, adapter, trainable, label_smoothing = 0 }: Setup): boolean {
  const isFrozen = outerParameters(model, adapter).every(({ name }) => name !== headMatrix(model).name);
  return trainable !== "all" && isFrozen && label_smoothing === 0;
}

/** The matrix of a model's head: the last of its parameters. */
export function headMatrix({ headParameters }: Pick<Setup["model"], "headParameters">): Parameter {
  return headParameters.at(-1)!;
}

/** x [targets, hidden_size] and what the matrix is multiplied with. */
function buildNormal({ model, adapter }: Setup, targets: number) {
  const x = input("x", "float32", [targets, model.hidden_size]);
  let normal = x;
  const head: Setup["model"]["head"] = (hooks, y) => {
    const beforeLogits = (given: Tensor) => {
      normal = hooks.beforeLogits?.(given) ?? given;
      return normal;
    };
    return model.head({ ...hooks, beforeLogits }, y);
  };
  const { made } = headStage({ ...model, head }, adapter, x);
  return { x, normal, made };
}

/** x [targets, hidden_size] to what is multiplied with the matrix, `normal` of the same shape. */
export function headNormal(setup: Setup, targets: number): Program {
  return writeProgram("head_normal", { normal: buildNormal(setup, targets).normal });
}

/** What is carried from part to part: the largest logit and the sum of exponentials below it [targets, 1], and rows mixed. */
type Carried = "most" | "sum" | "mixed";

type Shaped = readonly [Carried, readonly number[]];

function carriedShapes({ targets, backward }: HeadExtent, width: number): Shaped[] {
  const mixed: Shaped[] = backward ? [["mixed", [targets, width]]] : [];
  return [["most", [targets, 1]], ["sum", [targets, 1]], ...mixed];
}

/**
 * One part: `rows` [PART, hidden_size] of the matrix and `bias` [PART], which hides those that another part has. Takes
 * and gives what is carried, under names that begin with `next:`.
 */
export function headPart(setup: Setup, extent: HeadExtent): Program {
  const { model } = setup;
  const { targets, backward } = extent;
  const width = model.hidden_size;
  const count = partSize(model.vocab_size);
  const held = Object.fromEntries(
    carriedShapes(extent, width).map(([name, shape]) => [name, input(name, "float32", shape)]),
  ) as Record<Carried, Tensor>;
  const rows = asFloat(input("rows", matrixType(setup, headMatrix(model).name), [count, width]));
  const normal = input("normal", "float32", [targets, width]);
  const logits = apply("Gemm", [normal, rows, input("bias", "float32", [count])], { transB: 1 });
  const most = apply("Max", [held.most, apply("ReduceMax", [logits, int64s([1])], { keepdims: 1 })]);
  const weights = apply("Exp", [sub(logits, most)]);
  const shrunk = apply("Exp", [sub(held.most, most)]);
  const sum = add(mul(held.sum, shrunk), reshape(reduceSum(weights, [1]), [targets, 1]));
  const mixed = backward ? apply("Gemm", [weights, rows, mul(held.mixed, shrunk)]) : null;
  return writeProgram("head_part", {
    "next:most": most,
    "next:sum": sum,
    ...(mixed && { "next:mixed": mixed }),
  });
}

/**
 * From x, what was carried through all parts, `labels` int64 [targets, 1] and `weights` [targets] to nll [targets], in nats,
 * weighted, and going back dx of its sum and the gradient of every trained array.
 */
export function headEnd(setup: Setup, { targets, backward }: HeadExtent): Program {
  const { model } = setup;
  const { x, normal, made } = buildNormal(setup, targets);
  const { name, shape } = headMatrix(model);
  const matrix = input(name, matrixType(setup, name), shape);
  const labels = reshape(input("labels", "int64", [targets, 1]), [targets]);
  const wanted = asFloat(gather(matrix, labels));
  const [most, sum] = [input("most", "float32", [targets, 1]), input("sum", "float32", [targets, 1])];
  const weights = input("weights", "float32", [targets]);
  const logits = reduceSum(mul(normal, wanted), [1]);
  const likelihood = sub(reshape(add(most, apply("Log", [sum])), [targets]), logits);
  // Both are sums in an order of their own, so that of a certain target the difference may fall below zero.
  const nll = mul(apply("Max", [likelihood, scalar(0)]), weights);
  if (!backward) return writeProgram("head_end", { nll });
  const mean = apply("Div", [input("mixed", "float32", normal.shape), sum]);
  const gradient = mul(sub(mean, wanted), reshape(weights, [targets, 1]));
  const trained = outerParameters(model, setup.adapter).filter(
    ({ name }) => setup.trainable === "adapter" && made.has(name),
  );
  const wrt = [x, ...trained.map(({ name }) => made.get(name)!)];
  const [dx, ...given] = gradients([{ output: normal, gradient }], wrt);
  const named = Object.fromEntries(trained.map(({ name }, i) => [`d:${name}`, given[i]!]));
  return writeProgram("head_end", { nll, dx: dx!, ...named });
}

function partSize(vocab_size: number): number {
  return Math.min(PART, vocab_size);
}

/** The parts of a matrix as `headPart` takes them; the last one's first rows may have been another's. */
export function matrixParts(matrix: Buffer): { readonly rows: Buffer; readonly bias: Buffer }[] {
  const [vocab, width] = matrix.shape as [number, number];
  const count = partSize(vocab);
  return Array.from({ length: Math.ceil(vocab / count) }, (_, i) => {
    const from = Math.min(i * count, vocab - count);
    const data = matrix.data.subarray(from * width, (from + count) * width);
    const bias = new Float32Array(count).fill(HIDDEN, 0, i * count - from);
    return {
      rows: createBuffer(matrix.dtype, [count, width], data),
      bias: createBuffer("float32", [count], bias),
    };
  });
}

const HIDDEN = -1e30;

/** What is carried into the first part, or memory for what comes out of one. */
export function carriedBuffers(extent: HeadExtent, width: number): Record<string, Buffer> {
  return Object.fromEntries(
    carriedShapes(extent, width).map(([name, shape]) => {
      const data = new Float32Array(sizeOf(shape)).fill(name === "most" ? HIDDEN : 0);
      return [name, createBuffer("float32", shape, data)];
    }),
  );
}

/** How matrices are held where nothing is said: beside products on eight bits 16 are more than enough. */
export function vocabularyOf(wish: {
  readonly trainable: Setup["trainable"];
  readonly vocabulary?: VocabularyForm;
  readonly compute?: "f32" | "int8";
  readonly label_smoothing?: number;
}): VocabularyForm {
  if (wish.trainable === "all" || wish.label_smoothing) return "f32";
  return wish.vocabulary ?? (wish.compute === "int8" ? "f16" : "f32");
}

/** Of a matrix in f16 the largest share of its norm that may be lost: rounding alone takes a fifth of it. */
const MOST_LOST = 1e-3;

type Outer = { readonly form: VocabularyForm; readonly buffers: ReadonlyMap<string, Buffer> };

/**
 * Parameters outside the blocks as they are held: matrices of the vocabulary in that form, others in f32. All are f32
 * where f16 does not hold one of the matrices, as numbers beyond 65,504 or far below 2^-14 in most of it.
 */
export function holdOuter(
  { model, read }: { readonly model: Setup["model"]; readonly read: WeightSource["read"] },
  form: VocabularyForm,
): Outer {
  const buffers = new Map<string, Buffer>();
  for (const { name, shape } of outerOf(model)) {
    const data = read(name);
    const halves = form === "f16" && shape.length === 2 ? toHalf(data) : null;
    if (halves && !(halfError(data, halves) <= MOST_LOST)) return holdOuter({ model, read }, "f32");
    buffers.set(name, halves ? createBuffer("float16", shape, halves) : createBuffer("float32", shape, data));
  }
  return { form, buffers };
}

/** Numbers of f32 that the programs of one run of so many targets hold. */
export function partNumbers(
  model: Pick<Setup["model"], "vocab_size" | "hidden_size">,
  targets: number,
): number {
  const count = partSize(model.vocab_size);
  return count * model.hidden_size + 3 * targets * count + 10 * targets * model.hidden_size;
}

// Frozen weights held in blocks of 32 with eight or four bits a weight and multiplied in f32: the program itself turns
// them back, a layer at a time. Eight bits are a block's largest magnitude in 127 steps, as in GGUF's Q8_0; four are 16
// evenly spaced values, as in Q4_0, Q4_1 and Q4_K (ggml:src/ggml-common.h), and what lies on such a grid stays exact.

import { add, apply, concat, linear, reshape, withPullback } from "../graph/build.ts";
import { constant, input, type Tensor } from "../graph/tensor.ts";
import { type Buffers, createBuffer } from "../runtime/device.ts";
import { type FrozenGroup, type Given, widthOf } from "./int8.ts";

export type Storage = "f32" | "int8" | "int4";

const BLOCK = 32;

/** A group whose weights are held so; its inputs must be a multiple of a block. */
export type StoredGroup = FrozenGroup & { readonly bits: 8 | 4 };

/** The groups that can be held so. */
export function storedGroups(groups: readonly FrozenGroup[], storage: Storage): StoredGroup[] {
  if (storage === "f32") return [];
  const bits = storage === "int8" ? 8 : 4;
  return groups.filter(({ inner }) => inner % BLOCK === 0).map((group) => ({ ...group, bits }));
}

function namesOf({ names, bits }: StoredGroup) {
  const key = names.join("+");
  return { values: `stored${bits}:${key}`, scales: `scales:${key}`, least: `least:${key}` };
}

/** The products of a group beside each other, [n, sum of outputs], of x [n, inner]. */
export function storedProduct(x: Tensor, group: StoredGroup, given: Given = input): Tensor {
  const weights = group.bits === 8 ? eightBits(group, given) : fourBits(group, given);
  const rule = (dy: Tensor) => [apply("Gemm", [dy, weights])];
  return withPullback(linear(x, weights), { of: [x], rule });
}

function eightBits(group: StoredGroup, given: Given): Tensor {
  const { values, scales } = namesOf(group);
  const shape = [widthOf(group), group.inner];
  const inputs = [given(values, "int8", shape), given(scales, "float32", [shape[0]!, group.inner / BLOCK])];
  return apply("DequantizeLinear", inputs, { axis: 1, block_size: BLOCK });
}

/** A byte is a weight of a block's first half and, in its higher bits, one of the second. */
function fourBits(group: StoredGroup, given: Given): Tensor {
  const { values, scales, least } = namesOf(group);
  const blocks = blocksOf(group);
  const bytes = given(values, "uint8", [blocks, BLOCK / 2]);
  const number = (value: number) => constant("uint8", [], Uint8Array.of(value));
  const first = apply("BitwiseAnd", [bytes, number(15)]);
  const second = apply("BitShift", [bytes, number(4)], { direction: "RIGHT" });
  const steps = concat([first, second], 1);
  const above = apply("DequantizeLinear", [steps, given(scales, "float32", [blocks])], { axis: 0 });
  return reshape(add(above, given(least, "float32", [blocks, 1])), [widthOf(group), group.inner]);
}

function blocksOf(group: FrozenGroup): number {
  return (widthOf(group) * group.inner) / BLOCK;
}

/** Bytes of a group as it is held. */
export function storedBytes(group: StoredGroup): number {
  return blocksOf(group) * (group.bits === 8 ? BLOCK + 4 : BLOCK / 2 + 8);
}

/** From a layer's f32 arrays to what its programs take; arrays that no group has stay as they are. */
export function storeLayer(weights: Buffers, groups: readonly StoredGroup[]): Buffers {
  const taken = new Set(groups.flatMap(({ names }) => names.map((name) => `${name}.weight`)));
  const rest = Object.entries(weights).filter(([name]) => !taken.has(name));
  const stored = groups.map((group) => storeGroup(weights, group));
  return Object.assign(Object.fromEntries(rest), ...stored) as Buffers;
}

function storeGroup(weights: Buffers, group: StoredGroup): Buffers {
  const names = namesOf(group);
  const blocks = blocksOf(group);
  const joined = new Float32Array(blocks * BLOCK);
  let at = 0;
  for (const name of group.names) {
    const part = weights[`${name}.weight`]!.data as Float32Array;
    joined.set(part, at);
    at += part.length;
  }
  const scales = new Float32Array(blocks);
  if (group.bits === 8) {
    const values = roundEight(joined, scales);
    const [width, inner] = [widthOf(group), group.inner];
    return {
      [names.values]: createBuffer("int8", [width, inner], values),
      [names.scales]: createBuffer("float32", [width, inner / BLOCK], scales),
    };
  }
  const least = new Float32Array(blocks);
  return {
    [names.values]: createBuffer("uint8", [blocks, BLOCK / 2], roundFour(joined, scales, least)),
    [names.scales]: createBuffer("float32", [blocks], scales),
    [names.least]: createBuffer("float32", [blocks, 1], least),
  };
}

function roundEight(weights: Float32Array, scales: Float32Array): Int8Array {
  const values = new Int8Array(weights.length);
  for (let block = 0; block < scales.length; block++) {
    const from = block * BLOCK;
    let most = 0;
    for (let i = from; i < from + BLOCK; i++) most = Math.max(most, Math.abs(weights[i]!));
    const scale = most / 127;
    scales[block] = scale;
    if (scale > 0) for (let i = from; i < from + BLOCK; i++) values[i] = Math.round(weights[i]! / scale);
  }
  return values;
}

function roundFour(weights: Float32Array, scales: Float32Array, least: Float32Array): Uint8Array {
  const bytes = new Uint8Array(weights.length / 2);
  for (let block = 0; block < scales.length; block++) {
    const own = weights.subarray(block * BLOCK, (block + 1) * BLOCK);
    const low = own.reduce((a, b) => Math.min(a, b));
    const scale = stepOf(own, low, own.reduce((a, b) => Math.max(a, b)) - low);
    scales[block] = scale;
    least[block] = low;
    if (scale === 0) continue;
    const at = (i: number) => Math.round((own[i]! - low) / scale);
    for (let i = 0; i < BLOCK / 2; i++) bytes[(block * BLOCK) / 2 + i] = at(i) | (at(i + BLOCK / 2) << 4);
  }
  return bytes;
}

/** How far from a whole number of steps a weight on a grid may lie: its numbers were rounded to f32 and f16. */
const SLACK = 2e-3;

/** The step of the grid that all weights lie on; where there is none, a fifteenth of their span. */
function stepOf(weights: Float32Array, low: number, span: number): number {
  for (let count = 15; count > 0 && span > 0; count--) {
    const inverse = count / span;
    let fits = true;
    for (let i = 0; fits && i < BLOCK; i++) {
      const steps = (weights[i]! - low) * inverse;
      fits = Math.abs(steps - Math.round(steps)) < SLACK;
    }
    if (fits) return span / count;
  }
  return span / 15;
}

// Preparing a network for products on eight-bit integers: which input channels stay f32, the weights rounded for both
// directions, and the measure of what that does to loss and gradient on a few of the user's own examples.

import { type Buffer, type Buffers, createBuffer } from "../runtime/device.ts";
import { type Batch, packBatches, type Sequence } from "./batch.ts";
import type { Observer } from "./block-weights.ts";
import { channelsOf, type FrozenGroup, groupInputs, partsOf, widthOf } from "./int8.ts";
import type { Trained } from "./trained.ts";

/** What eight-bit products change: mean losses in nats a target, and the cosine between the two gradients. */
export type ComputeCheck = {
  readonly f32_loss: number;
  readonly int8_loss: number;
  readonly cosine: number;
  /** Whether that is near enough; f32 is used where it is not. */
  readonly passed: boolean;
};

const LEAST_COSINE = 0.985;
const MOST_DIFFERENCE = 0.02;

export function judge(measured: Omit<ComputeCheck, "passed">): ComputeCheck {
  const { f32_loss, int8_loss, cosine } = measured;
  const near = Math.abs(int8_loss - f32_loss) <= MOST_DIFFERENCE * Math.max(f32_loss, 1e-3);
  return { ...measured, passed: near && cosine >= LEAST_COSINE };
}

/** Sequences of the calibration and ids of each: enough for the channels, and done in seconds. */
const COUNT = 2;
const LENGTH = 256;

/** The sequences of the check as one batch, or one by one where that would have more than `most` rows. */
export function calibrationBatches(sequences: readonly Sequence[], most = Infinity): Batch[] {
  const chosen = calibrationSequences(sequences);
  const together = packBatches(chosen, chosen.length);
  return together.every(({ ids }) => ids.length <= most) ? together : packBatches(chosen, 1);
}

/** What the check runs; one that is disposed still has its gradients. */
type Checked = {
  readonly trained: ReadonlyMap<string, Trained>;
  accumulate(batch: Batch, seed: number, observe?: Observer): Promise<number>;
  dispose(): Promise<void>;
};

type Check = {
  readonly engine: Checked;
  /** The same in f32, whose layers are handed to `hold` before the engine runs. */
  readonly reference: Checked;
  readonly batches: readonly Batch[];
  readonly hold: Observer;
};

/** Compares loss and gradient of a few batches. */
export async function checkAgainst({ engine, reference, batches, hold }: Check): Promise<ComputeCheck> {
  const targets = batches.reduce((n, { rows }) => n + rows.length, 0);
  const f32_loss = (await summedLoss(reference, batches, observeAll(batches.length, hold))) / targets;
  // Its working memory goes before the other's comes.
  await reference.dispose();
  const int8_loss = (await summedLoss(engine, batches)) / targets;
  return judge({ f32_loss, int8_loss, cosine: gradientCosine(engine.trained, reference.trained) });
}

async function summedLoss(engine: Checked, batches: readonly Batch[], observers?: readonly Observer[]) {
  let nll = 0;
  for (const [i, batch] of batches.entries()) nll += await engine.accumulate(batch, 0, observers?.[i]);
  return nll;
}

/** An observer for each of so many batches: the last one's hands on what was seen of a layer in all of them. */
function observeAll(count: number, last: Observer): Observer[] {
  const seen = new Map<number, Buffers>();
  const merge: Observer = (layer, _, observed) => {
    seen.set(layer, mergeObserved(seen.get(layer), observed));
  };
  const end: Observer = (layer, weights, observed) =>
    last(layer, weights, mergeObserved(seen.get(layer), observed));
  return Array.from({ length: count }, (_, i) => (i < count - 1 ? merge : end));
}

/** What `observing` (frozen.ts) has seen in both: the largest magnitudes, and sums of what is summed over rows. */
function mergeObserved(before: Buffers | undefined, now: Buffers): Buffers {
  const seen = Object.fromEntries(Object.entries(now).filter(([name]) => /^(largest|typical):/.test(name)));
  for (const [name, { data }] of Object.entries(before ?? {})) {
    const [values, others] = [seen[name]!.data as Float32Array, data as Float32Array];
    const isLargest = name.startsWith("largest:");
    for (let i = 0; i < values.length; i++)
      values[i] = isLargest ? Math.max(values[i]!, others[i]!) : values[i]! + others[i]!;
  }
  return seen;
}

/**
 * A few of the longest examples that fit whole, else the ends of longer ones: a text that begins in its middle is unlike
 * what is trained on. The same for the same examples.
 */
export function calibrationSequences(sequences: readonly Sequence[]): Sequence[] {
  return sequences
    .map((_, i) => i)
    .sort((a, b) => fitness(sequences[b]!) - fitness(sequences[a]!) || a - b)
    .slice(0, COUNT)
    .map((i) => endOf(sequences[i]!));
}

/** What fits by its length, then what does not. */
function fitness({ ids }: Sequence): number {
  return ids.length <= LENGTH ? ids.length : 1 / ids.length;
}

function endOf({ ids, promptLength }: Sequence): Sequence {
  const from = ids.length - Math.min(LENGTH, ids.length);
  return { ids: ids.slice(from), promptLength: Math.max(1, promptLength - from) };
}

/** Cosine between the gradients of two engines; 1 where nothing is trained. */
export function gradientCosine(a: ReadonlyMap<string, Trained>, b: ReadonlyMap<string, Trained>): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (const [name, { gradient }] of a) {
    const other = b.get(name)!.gradient;
    for (let i = 0; i < gradient.length; i++) {
      dot += gradient[i]! * other[i]!;
      aa += gradient[i]! * gradient[i]!;
      bb += other[i]! * other[i]!;
    }
  }
  return aa === 0 && bb === 0 ? 1 : dot / Math.sqrt(aa * bb);
}

type Rounding = {
  readonly groups: readonly FrozenGroup[];
  /** Arrays of a block that stay as they are. */
  readonly plain: readonly string[];
  /** The largest eight-bit weight: 127, or 63 where pairs of products are added in 16 bits. */
  readonly most: number;
};

/** From a layer's f32 arrays and the largest magnitudes in each group's input to what its eight-bit programs take. */
export function layerRounding({ groups, plain, most }: Rounding) {
  return (weights: Buffers, observed: Buffers): Buffers => {
    const rounded = groups.map((group, i) => {
      const values = (what: string) => observed[`${what}:${i}`]!.data as Float32Array;
      const channels = chooseChannels(values("largest"), values("typical"), channelsOf(group));
      return roundWeights(group, weights, { channels, most });
    });
    const rest = plain.map((name) => [name, weights[name]!] as const);
    return Object.assign(Object.fromEntries(rest), ...rounded) as Buffers;
  };
}

/** Inputs of a group's products, of its f32 weights [out, in] and the channels that stay f32. */
function roundWeights(
  group: FrozenGroup,
  weights: Buffers,
  { channels, most }: { channels: readonly number[]; most: number },
): Buffers {
  const names = groupInputs(group);
  const own: Record<string, Buffer> = {
    [names.rounded]: f32([group.inner], maskOf(group.inner, channels)),
    [names.channels]: createBuffer("int64", [channels.length], BigInt64Array.from(channels, BigInt)),
  };
  const parts = partsOf(group).map((part) => roundPart(part, joinedRows(part, weights), { channels, most }));
  return Object.assign(own, ...parts) as Buffers;
}

function f32(shape: number[], data: Float32Array): Buffer {
  return createBuffer("float32", shape, data);
}

/** The layers' weights under each other, [out, in]. */
function joinedRows(group: FrozenGroup, weights: Buffers): Float32Array {
  const joined = new Float32Array(widthOf(group) * group.inner);
  let at = 0;
  for (const name of group.names) {
    const part = weights[`${name}.weight`]!.data as Float32Array;
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/**
 * The forward copy has zeros in the channels that go through in f32, so that they need no masking, but where it is the
 * only one.
 */
function roundPart(
  part: FrozenGroup,
  joined: Float32Array,
  { channels, most }: { channels: readonly number[]; most: number },
): Buffers {
  const names = groupInputs(part);
  const { inner } = part;
  const width = widthOf(part);
  const back = part.once ? null : roundColumns(joined, inner, most);
  const only = part.once ? roundRowsTurned(joined, inner, most) : null;
  const columns = takeColumns(joined, channels, inner);
  const forward = only ?? roundRowsTurned(joined, inner, most);
  return {
    ...(back && {
      [names.backward]: createBuffer("int8", [width, inner], back.values),
      [names.backwardScale]: f32([inner], back.scales),
    }),
    [names.forward]: createBuffer("int8", [inner, width], forward.values),
    [names.forwardScale]: f32([width], forward.scales),
    [names.columns]: f32([channels.length, width], columns),
  };
}

/**
 * Half of the channels are those with the largest values, which a single token may have (the first, as a rule); half
 * those that are large in most rows and so set their steps. In ascending order.
 */
function chooseChannels(largest: Float32Array, typical: Float32Array, count: number): number[] {
  const byValue = (values: Float32Array) =>
    [...values.keys()].sort((a, b) => values[b]! - values[a]! || a - b);
  const first = byValue(largest).slice(0, count >> 1);
  const rest = byValue(typical).filter((channel) => !first.includes(channel));
  return [...first, ...rest.slice(0, count - first.length)].sort((a, b) => a - b);
}

/** 1 for each channel but those. */
function maskOf(inner: number, channels: readonly number[]): Float32Array {
  const mask = new Float32Array(inner).fill(1);
  for (const channel of channels) mask[channel] = 0;
  return mask;
}

/** Takes columns out of [out, inner], leaving zeros: [columns, out]. */
function takeColumns(matrix: Float32Array, channels: readonly number[], inner: number): Float32Array {
  const width = matrix.length / inner;
  const taken = new Float32Array(width * channels.length);
  for (let row = 0; row < width; row++) {
    for (let i = 0; i < channels.length; i++) {
      const at = row * inner + channels[i]!;
      taken[i * width + row] = matrix[at]!;
      matrix[at] = 0;
    }
  }
  return taken;
}

/** [out, inner] rounded with one scale for each column. */
function roundColumns(matrix: Float32Array, inner: number, most: number) {
  const scales = new Float32Array(inner);
  for (let at = 0; at < matrix.length; at += inner) {
    for (let i = 0; i < inner; i++) {
      const value = matrix[at + i]!;
      const size = value < 0 ? -value : value;
      if (size > scales[i]!) scales[i] = size;
    }
  }
  for (let i = 0; i < inner; i++) scales[i] = scales[i]! / most || 1;
  const inverse = scales.map((scale) => 1 / scale);
  const values = new Int8Array(matrix.length);
  for (let at = 0; at < matrix.length; at += inner) {
    for (let i = 0; i < inner; i++) values[at + i] = rounded(matrix[at + i]! * inverse[i]!);
  }
  return { values, scales };
}

/** [out, inner] rounded with one scale for each row, turned into [inner, out]. */
function roundRowsTurned(matrix: Float32Array, inner: number, most: number) {
  const width = matrix.length / inner;
  const scales = new Float32Array(width);
  const values = new Int8Array(matrix.length);
  for (let row = 0; row < width; row++) {
    let size = 0;
    const from = row * inner;
    for (let i = 0; i < inner; i++) {
      const value = matrix[from + i]!;
      if (value > size) size = value;
      else if (-value > size) size = -value;
    }
    scales[row] = size / most || 1;
  }
  const inverse = scales.map((scale) => 1 / scale);
  // In tiles: a column at a time would leave the cache at every step.
  for (let top = 0; top < width; top += TILE) {
    const end = Math.min(width, top + TILE);
    for (let i = 0; i < inner; i++) {
      for (let row = top; row < end; row++) {
        values[i * width + row] = rounded(matrix[row * inner + i]! * inverse[row]!);
      }
    }
  }
  return { values, scales };
}

const TILE = 64;

/** What Math.round gives for eight bits, in half its time. */
function rounded(value: number): number {
  return ((value + 128.5) | 0) - 128;
}

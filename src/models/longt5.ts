// LongT5: a T5 whose encoder attends within a radius (local), and where that is configured also to sums of its own input
// over blocks of 16 (transient-global), so that its cost grows with the length and not its square. Names are those of
// the weights file and of config.json. Source: transformers:src/transformers/models/longt5/modeling_longt5.py
// (Guo et al., 2021); its decoder is T5's.

import {
  add,
  apply,
  concat,
  matMul,
  reshape,
  rmsNorm,
  slice,
  softmax,
  split,
  transpose,
} from "../graph/build.ts";
import { constant, int64s, type Tensor } from "../graph/tensor.ts";
import { type ConfigFile, integerOf, refuse } from "./config.ts";
import type { Encoder, EncoderDecoder, EncoderHooks, Masks, Padded } from "./encoder-decoder.ts";
import type { Hooks, Parameter } from "./model.ts";
import { relativeBias } from "./relative.ts";
import {
  attentionShapes,
  feedForward,
  feedForwardShapes,
  normal,
  parseT5Config,
  parts,
  type T5Config,
  t5Network,
} from "./t5.ts";

export type LongT5Config = T5Config & {
  readonly encoder_attention_type: "local" | "transient-global";
  readonly local_radius: number;
  readonly global_block_size: number;
};

/** The configuration with its defaults filled in; refuses what the blocks below do not compute. */
export function parseLongT5Config(file: ConfigFile): LongT5Config {
  refuse(file, "encoder_attention_type", ["local", "transient-global"]);
  const isGlobal = file.encoder_attention_type === "transient-global";
  return {
    ...parseT5Config(file),
    encoder_attention_type: isGlobal ? "transient-global" : "local",
    local_radius: integerOf(file, "local_radius", 127),
    global_block_size: integerOf(file, "global_block_size", 16),
  };
}

/** The network that a LongT5's config.json describes. */
export function longt5(file: ConfigFile): EncoderDecoder {
  const config = parseLongT5Config(file);
  return t5Network(config, { model_type: "longt5", encoder: encoder(config) });
}

/** What the attention is called in the weights file. */
function nameOf({ encoder_attention_type }: LongT5Config): string {
  return encoder_attention_type === "local"
    ? "layer.0.LocalSelfAttention"
    : "layer.0.TransientGlobalSelfAttention";
}

function encoder(config: LongT5Config): Encoder {
  const name = nameOf(config);
  const { linears, blockParameters } = parts(config, [
    attentionShapes(config, name),
    feedForwardShapes(config, "layer.1"),
  ]);
  const ofGlobals = isGlobal(config)
    ? [{ name: `${name}.global_input_layer_norm.weight`, shape: [config.d_model] }]
    : [];
  return {
    hidden_size: config.d_model,
    num_hidden_layers: config.num_layers,
    blockPrefix: (layer) => `encoder.block.${layer}.`,
    blockParameters: [...blockParameters, ...ofGlobals],
    linears,
    joins: [
      { name: "layer.0", role: "attention" },
      { name: "layer.1", role: "output" },
    ],
    ...positions(config),
    masks: (lengths, padded) => masks(config, lengths, padded),
    scoreCount: (length) => {
      const { size, count } = blocksOf(config, length);
      return count * size * (3 * size + (isGlobal(config) ? globalsOf(config, length) : 0));
    },
    block: (hooks, x) => {
      const attended = selfAttention(config, hooks, x);
      return feedForward(config, { hooks, place: "layer.1" }, attended);
    },
  };
}

function isGlobal({ encoder_attention_type }: LongT5Config): boolean {
  return encoder_attention_type === "transient-global";
}

/** Blocks of queries: each looks at itself, the one before and the one after. */
function blocksOf({ local_radius }: LongT5Config, length: number): { size: number; count: number } {
  const size = local_radius + 1;
  return { size, count: Math.ceil(length / size) };
}

/** Sums of a padded length; where it holds no whole one there is one that nobody sees. */
function globalsOf(config: LongT5Config, length: number): number {
  return Math.max(1, wholeOf(config, length));
}

function wholeOf({ global_block_size }: LongT5Config, length: number): number {
  return Math.floor(length / global_block_size);
}

/** `bias` [heads, 1, block, 3·block] hides what is farther than the radius; `side` [heads, globals, globals] is of blocks. */
function positions(config: LongT5Config): Pick<Encoder, "positionParameters" | "positions"> {
  const shape = [config.relative_attention_num_buckets, config.num_heads];
  const table = (name: string): Parameter => ({
    name: `encoder.block.0.${nameOf(config)}.${name}.weight`,
    shape,
  });
  const [local, side] = [table("relative_attention_bias"), table("global_relative_attention_bias")];
  return {
    positionParameters: isGlobal(config) ? [local, side] : [local],
    positions: ({ parameter }: Pick<Hooks, "parameter">, length: number) => {
      const { size } = blocksOf(config, length);
      const window = { queries: size, keys: 3 * size, first: -size, twoSided: true };
      const bias = add(relativeBias(config, parameter(local.name), window), beyondRadius(size));
      const wide = { bias: reshape(bias, [config.num_heads, 1, size, 3 * size]) };
      if (!isGlobal(config)) return wide;
      const globals = globalsOf(config, length);
      const whole = { queries: globals, keys: globals, first: 0, twoSided: true };
      return { ...wide, side: relativeBias(config, parameter(side.name), whole) };
    },
  };
}

/** [block, 3·block]: enough to leave no weight where key and query are a block or more apart. */
function beyondRadius(size: number): Tensor {
  const values = Float32Array.from({ length: size * 3 * size }, (_, i) => {
    const distance = (i % (3 * size)) - size - Math.floor(i / (3 * size));
    return Math.abs(distance) < size ? 0 : HIDDEN;
  });
  return constant("float32", [size, 3 * size], values);
}

const HIDDEN = -1e30;

/**
 * `mask` [batch, 1, blocks, 1, 3·block] hides keys that are not there. `members` [batch, length, globals] has 1 where a
 * position belongs to a block that is summed, an incomplete last one's to the one before; `side_mask` [batch, 1, 1,
 * globals] hides blocks that no position has.
 */
function masks(config: LongT5Config, lengths: readonly number[], { batch, length }: Padded): Masks {
  const { size, count } = blocksOf(config, length);
  const lengthAt = (row: number) => lengths[row] ?? 0;
  const window = 3 * size;
  const mask = Float32Array.from({ length: batch * count * window }, (_, i) => {
    const [row, block] = [Math.floor(i / (count * window)), Math.floor(i / window) % count];
    const position = (block - 1) * size + (i % window);
    return position >= 0 && position < lengthAt(row) ? 0 : HIDDEN;
  });
  const local = { mask: { shape: [batch, 1, count, 1, window], data: mask } };
  if (!isGlobal(config)) return local;
  const globals = globalsOf(config, length);
  const members = new Float32Array(batch * length * globals);
  const side = new Float32Array(batch * globals).fill(HIDDEN);
  for (let row = 0; row < batch; row++) {
    const whole = wholeOf(config, lengthAt(row));
    side.fill(0, row * globals, row * globals + whole);
    for (let at = 0; whole > 0 && at < lengthAt(row); at++) {
      const block = Math.min(whole - 1, Math.floor(at / config.global_block_size));
      members[(row * length + at) * globals + block] = 1;
    }
  }
  return {
    ...local,
    members: { shape: [batch, length, globals], data: members },
    side_mask: { shape: [batch, 1, 1, globals], data: side },
  };
}

function selfAttention(config: LongT5Config, hooks: EncoderHooks, x: Tensor): Tensor {
  const name = nameOf(config);
  const inner = normal(config, hooks, { place: "layer.0", x });
  const [q, k, v] = hooks.linear(inner, [`${name}.q`, `${name}.k`, `${name}.v`]);
  const globals = isGlobal(config) ? globalInputs(config, hooks, inner) : undefined;
  const side = globals && hooks.linear(globals, [`${name}.k`, `${name}.v`]);
  const mixed = attend(config, hooks, { q: q!, k: k!, v: v!, side });
  return hooks.join("layer.0", x, hooks.linear(mixed, [`${name}.o`])[0]!);
}

/** Sums of x [batch · length, d] over blocks, normalised: [batch · globals, d]. */
function globalInputs(config: LongT5Config, { parameter, padded, shared }: EncoderHooks, x: Tensor): Tensor {
  const { batch, length } = padded;
  const d = config.d_model;
  const globals = globalsOf(config, length);
  const sums = matMul(transpose(shared.members!, [0, 2, 1]), reshape(x, [batch, length, d]));
  const scale = parameter(`${nameOf(config)}.global_input_layer_norm.weight`);
  return rmsNorm(reshape(sums, [batch * globals, d]), scale, config.layer_norm_epsilon);
}

type Attended = {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  /** Keys and values of the sums. */
  readonly side: readonly Tensor[] | undefined;
};

/** Attention of each block of queries to three blocks of keys, and to the sums. */
function attend(config: LongT5Config, { padded, shared }: EncoderHooks, { q, k, v, side }: Attended): Tensor {
  const { num_heads: heads, d_kv: d } = config;
  const { batch, length } = padded;
  const { size, count } = blocksOf(config, length);
  const filled = count * size;
  const byHead = (x: Tensor, n: number) => transpose(reshape(x, [batch, n, heads, d]), [0, 2, 1, 3]);
  const queries = pad(byHead(q, length), [0, filled - length]);
  const [keys, values] = [k, v].map((x) => windows(byHead(x, length), { size, count }));
  const blocked = reshape(queries, [batch, heads, count, size, d]);
  const products = matMul(blocked, transpose(keys!, [0, 1, 2, 4, 3]));
  const biased = add(products, shared.bias!);
  const local = shared.mask ? add(biased, shared.mask) : biased;
  const unblocked = (x: Tensor) => {
    const rows = reshape(x, [batch, heads, filled, d]);
    return reshape(transpose(slice(rows, 2, [0, length]), [0, 2, 1, 3]), [batch * length, heads * d]);
  };
  if (side === undefined) return unblocked(matMul(softmax(local), values!));
  const globals = globalsOf(config, length);
  const [sideKeys, sideValues] = side.map((x) => byHead(x, globals));
  const far = add(matMul(queries, transpose(sideKeys!, [0, 1, 3, 2])), sideBias(shared, filled - length));
  const scores = concat([local, reshape(far, [batch, heads, count, size, globals])], 4);
  const [near, wide] = split(softmax(scores), [3 * size, globals], 4);
  const mixed = matMul(reshape(wide!, [batch, heads, filled, globals]), sideValues!);
  const sum = add(matMul(near!, values!), reshape(mixed, [batch, heads, count, size, d]));
  return unblocked(sum);
}

/** What is added to the scores of positions and sums: [batch, heads, length + more, globals]. */
function sideBias({ members, side, side_mask }: EncoderHooks["shared"], more: number): Tensor {
  const [batch, length, globals] = members!.shape as [number, number, number];
  const bias = matMul(reshape(members!, [batch, 1, length, globals]), side!);
  return add(pad(bias, [0, more]), side_mask!);
}

/** x [batch, heads, length, d] as each block with its neighbours: [batch, heads, count, 3·size, d]. */
function windows(x: Tensor, { size, count }: { size: number; count: number }): Tensor {
  const [batch, heads, length, d] = x.shape as [number, number, number, number];
  const wide = pad(x, [size, (count + 1) * size - length]);
  const blocks = reshape(wide, [batch, heads, count + 2, size, d]);
  const three = [0, 1, 2].map((start) =>
    apply("Slice", [blocks, int64s([start]), int64s([start + count]), int64s([2])]),
  );
  return concat(three, 3);
}

/** Zeros before and after along axis 2. */
function pad(x: Tensor, [before, after]: readonly [number, number]): Tensor {
  if (before === 0 && after === 0) return x;
  return apply("Pad", [x, int64s([0, 0, before, 0, 0, 0, after, 0])]);
}

// T5, v1.0 (ReLU) and v1.1 (gated GELU): RMSNorm, attention with relative positions and without scaling, cross-attention,
// tied or untied head. Names are those of the weights file and of config.json. Source:
// transformers:src/transformers/models/t5/modeling_t5.py.

import { add, apply, linear, mul, rmsNorm, scaled, sigmoid, sub, withPullback } from "../graph/build.ts";
import { scalar, type Tensor } from "../graph/tensor.ts";
import { type ConfigFile, integerOf, numberOf, refuse } from "./config.ts";
import type { Encoder, EncoderDecoder, MemoryHooks, RelativeConfig, Stack } from "./encoder-decoder.ts";
import type { Hooks, Parameter } from "./model.ts";
import { biasedAttention, paddingMask, relativeBias } from "./relative.ts";

export type T5Config = RelativeConfig & {
  readonly vocab_size: number;
  readonly d_model: number;
  readonly d_ff: number;
  readonly num_layers: number;
  readonly num_decoder_layers: number;
  readonly layer_norm_epsilon: number;
  readonly feed_forward_proj: "relu" | "gated-gelu";
  readonly tie_word_embeddings: boolean;
  /** Whether what goes into the vocabulary product is multiplied with 1 / √d_model; v1.0 does. */
  readonly scale_decoder_outputs: boolean;
  readonly decoder_start_token_id: number;
};

/** The configuration with its defaults filled in; refuses what the blocks below do not compute. */
export function parseT5Config(file: ConfigFile): T5Config {
  refuse(file, "feed_forward_proj", ["relu", "gated-gelu"]);
  refuse(file, "scale_decoder_outputs", [true, false, null]);
  refuse(file, "is_decoder", [false, null]);
  const tied = file.tie_word_embeddings !== false;
  const num_layers = integerOf(file, "num_layers", 6);
  return {
    vocab_size: integerOf(file, "vocab_size"),
    d_model: integerOf(file, "d_model"),
    d_kv: integerOf(file, "d_kv", 64),
    d_ff: integerOf(file, "d_ff"),
    num_layers,
    num_decoder_layers: integerOf(file, "num_decoder_layers", num_layers),
    num_heads: integerOf(file, "num_heads"),
    relative_attention_num_buckets: integerOf(file, "relative_attention_num_buckets", 32),
    relative_attention_max_distance: integerOf(file, "relative_attention_max_distance", 128),
    layer_norm_epsilon: numberOf(file, "layer_norm_epsilon", 1e-6),
    feed_forward_proj: file.feed_forward_proj === "gated-gelu" ? "gated-gelu" : "relu",
    tie_word_embeddings: tied,
    scale_decoder_outputs: (file.scale_decoder_outputs ?? tied) === true,
    decoder_start_token_id: idOf(file.decoder_start_token_id) ?? idOf(file.pad_token_id) ?? 0,
  };
}

function idOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : undefined;
}

/** The network that a T5's config.json describes. */
export function t5(file: ConfigFile): EncoderDecoder {
  const config = parseT5Config(file);
  return t5Network(config, { model_type: "t5", encoder: encoder(config) });
}

/** Everything but the encoder's blocks, which tell one architecture of the family from another. */
export function t5Network(
  config: T5Config,
  { model_type, encoder }: Pick<EncoderDecoder, "model_type" | "encoder">,
): EncoderDecoder {
  const d = config.d_model;
  const headWeight = config.tie_word_embeddings ? "shared.weight" : "lm_head.weight";
  return {
    kind: "encoder-decoder",
    model_type,
    vocab_size: config.vocab_size,
    hidden_size: d,
    max_position_embeddings: Infinity,
    decoder_start_token_id: config.decoder_start_token_id,
    attention: config,
    embeddingParameter: { name: "shared.weight", shape: [config.vocab_size, d] },
    encoder,
    memoryParameters: [{ name: "encoder.final_layer_norm.weight", shape: [d] }],
    memory: ({ parameter }, x) =>
      rmsNorm(x, parameter("encoder.final_layer_norm.weight"), config.layer_norm_epsilon),
    decoder: decoder(config),
    headParameters: [
      { name: "decoder.final_layer_norm.weight", shape: [d] },
      { name: headWeight, shape: [config.vocab_size, d] },
    ],
    head: ({ parameter, beforeLogits = (y) => y }, x) => {
      const normal = rmsNorm(x, parameter("decoder.final_layer_norm.weight"), config.layer_norm_epsilon);
      const scaled = config.scale_decoder_outputs ? mul(normal, scalar(1 / Math.sqrt(d))) : normal;
      return linear(beforeLogits(scaled), parameter(headWeight));
    },
  };
}

function encoder(config: T5Config): Encoder {
  return {
    ...stack(config, { name: "encoder", layers: config.num_layers, twoSided: true }),
    masks: (lengths, padded) => ({ mask: paddingMask(lengths, padded) }),
    scoreCount: (length) => length * length,
    ...parts(config, [attentionShapes(config, SELF), feedForwardShapes(config, "layer.1")]),
    joins: [
      { name: "layer.0", role: "attention" },
      { name: "layer.1", role: "output" },
    ],
    block: ({ padded: { batch, length }, shared, ...hooks }, x) => {
      const crossing = { batch, queries: length, keys: length };
      const attend = biasedAttention(config, crossing, [shared.bias!, ...(shared.mask ? [shared.mask] : [])]);
      const attended = selfAttention(config, { ...hooks, attend }, x);
      return feedForward(config, { hooks, place: "layer.1" }, attended);
    },
  };
}

function decoder(config: T5Config): Stack<MemoryHooks> {
  const shapes = [
    attentionShapes(config, SELF),
    attentionShapes(config, CROSS),
    feedForwardShapes(config, "layer.2"),
  ];
  return {
    ...stack(config, { name: "decoder", layers: config.num_decoder_layers, twoSided: false }),
    ...parts(config, shapes),
    joins: [
      { name: "layer.0", role: "attention" },
      { name: "layer.1", role: "cross" },
      { name: "layer.2", role: "output" },
    ],
    block: (hooks, x) => {
      const crossed = crossAttention(config, hooks, selfAttention(config, hooks, x));
      return feedForward(config, { hooks, place: "layer.2" }, crossed);
    },
  };
}

const SELF = "layer.0.SelfAttention";
const CROSS = "layer.1.EncDecAttention";

type Place = { readonly name: string; readonly layers: number; readonly twoSided: boolean };

function stack(config: T5Config, { name, layers, twoSided }: Place) {
  const table = `${name}.block.0.${SELF}.relative_attention_bias.weight`;
  return {
    hidden_size: config.d_model,
    num_hidden_layers: layers,
    blockPrefix: (layer: number) => `${name}.block.${layer}.`,
    positionParameters: [{ name: table, shape: [config.relative_attention_num_buckets, config.num_heads] }],
    positions: ({ parameter }: Pick<Hooks, "parameter">, length: number) => ({
      bias: relativeBias(config, parameter(table), { queries: length, keys: length, first: 0, twoSided }),
    }),
  };
}

/** Linear layers of sub-layers, and with each sub-layer's norm the parameters of a block. */
export function parts(config: T5Config, sublayers: readonly (readonly Parameter[])[]) {
  const linears = sublayers.flat();
  const norms = sublayers.map((_, i) => ({ name: `layer.${i}.layer_norm.weight`, shape: [config.d_model] }));
  const weights = linears.map(({ name, shape }) => ({ name: `${name}.weight`, shape }));
  return { linears, blockParameters: [...norms, ...weights] };
}

export function attentionShapes({ d_model, d_kv, num_heads }: T5Config, name: string): Parameter[] {
  const inner = num_heads * d_kv;
  return [
    ...["q", "k", "v"].map((letter) => ({ name: `${name}.${letter}`, shape: [inner, d_model] })),
    { name: `${name}.o`, shape: [d_model, inner] },
  ];
}

export function feedForwardShapes(
  { d_model, d_ff, feed_forward_proj }: T5Config,
  place: string,
): Parameter[] {
  const inputs = feed_forward_proj === "relu" ? ["wi"] : ["wi_0", "wi_1"];
  return [
    ...inputs.map((name) => ({ name: `${place}.DenseReluDense.${name}`, shape: [d_ff, d_model] })),
    { name: `${place}.DenseReluDense.wo`, shape: [d_model, d_ff] },
  ];
}

export type Inner = Pick<Hooks, "parameter" | "linear" | "join">;

export function normal(
  config: T5Config,
  { parameter }: Inner,
  { place, x }: { place: string; x: Tensor },
): Tensor {
  return rmsNorm(x, parameter(`${place}.layer_norm.weight`), config.layer_norm_epsilon);
}

function selfAttention(config: T5Config, hooks: Hooks, x: Tensor): Tensor {
  const inner = normal(config, hooks, { place: "layer.0", x });
  const [q, k, v] = hooks.linear(inner, [`${SELF}.q`, `${SELF}.k`, `${SELF}.v`]);
  return hooks.join("layer.0", x, hooks.linear(hooks.attend(q!, k!, v!), [`${SELF}.o`])[0]!);
}

function crossAttention(config: T5Config, hooks: MemoryHooks, x: Tensor): Tensor {
  const [q] = hooks.linear(normal(config, hooks, { place: "layer.1", x }), [`${CROSS}.q`]);
  const mixed = hooks.attendMemory(q!, (memory) => {
    const [k, v] = hooks.linear(memory, [`${CROSS}.k`, `${CROSS}.v`]);
    return [k!, v!];
  });
  return hooks.join("layer.1", x, hooks.linear(mixed, [`${CROSS}.o`])[0]!);
}

export function feedForward(
  config: T5Config,
  { hooks, place }: { hooks: Inner; place: string },
  x: Tensor,
): Tensor {
  const inner = normal(config, hooks, { place, x });
  const name = `${place}.DenseReluDense`;
  const between = () => {
    if (config.feed_forward_proj === "relu") return apply("Relu", hooks.linear(inner, [`${name}.wi`]));
    const [gate, up] = hooks.linear(inner, [`${name}.wi_0`, `${name}.wi_1`]);
    return mul(geluNew(gate!), up!);
  };
  return hooks.join(place, x, hooks.linear(between(), [`${name}.wo`])[0]!);
}

/**
 * x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))), which is x·σ(x·(2c + 2·0.044715c·x²)) of c = √(2/π): fewer passes over
 * memory, and a slope of few too, s + (y - y·s)·(2c + 6·0.044715c·x²) of s = σ(…) and y = x·s.
 */
function geluNew(x: Tensor): Tensor {
  const c = 2 * Math.sqrt(2 / Math.PI);
  const cubic = scaled(mul(x, x), 0.044715 * c);
  const s = sigmoid(mul(x, add(cubic, scalar(c))));
  const y = mul(x, s);
  const slope = () => add(s, mul(sub(y, mul(y, s)), add(scaled(cubic, 3), scalar(c))));
  return withPullback(y, { of: [x], rule: (dy) => [mul(dy, slope())] });
}

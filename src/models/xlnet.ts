// XLNet: two streams through post-norm blocks with relative positions. Content rows hold tokens, query rows ask for one
// from what its place may see. It answers left to right: a prompt's tokens all see each other, as known tokens did in
// pretraining, the answer's follow in order, each seeing the prompt and what is before it. All of an answer is then
// learnt in one pass, as it will be written with keys and values kept; in transformers' `generate` the prompt also sees
// the answer so far, which is neither. Source: transformers:src/transformers/models/xlnet/modeling_xlnet.py.

import {
  add,
  apply,
  concat,
  layerNorm,
  linear,
  matMul,
  reshape,
  scaled,
  slice,
  softmax,
  transpose,
} from "../graph/build.ts";
import { scalar, type Tensor } from "../graph/tensor.ts";
import { type ConfigFile, integerOf, numberOf, refuse } from "./config.ts";
import type { HeadHooks, Hooks, Join, Parameter } from "./model.ts";

/** Sizes that attention needs, by their names in `config.json`. */
export type StreamConfig = {
  readonly d_model: number;
  readonly n_head: number;
  readonly d_head: number;
  /** Distances beyond it count as it; none where it is not above 0. */
  readonly clamp_len: number;
};

export type XLNetConfig = StreamConfig & {
  readonly vocab_size: number;
  readonly n_layer: number;
  readonly d_inner: number;
  readonly ff_activation: keyof typeof activations;
  readonly layer_norm_eps: number;
  readonly tie_word_embeddings: boolean;
};

/** What attention is made of; heads lie beside each other, [n, n_head·d_head]. */
export type Heads = {
  /** Queries of all rows, once with the bias that meets contents, once with that which meets distances. */
  readonly toContent: Tensor;
  readonly toDistance: Tensor;
  /** Of the content rows. */
  readonly k: Tensor;
  readonly v: Tensor;
  /** What a query meets at distances whose waves are [m, d_model]. */
  readonly distanceKeys: (waves: Tensor) => Tensor;
};

/** How a block gets at what is outside it. */
export type StreamHooks = Omit<Hooks, "attend"> & {
  /** So many of the first rows of x are content; the others are queries, which no row looks at. */
  readonly content: number;
  /** What all rows take from the content: [n, n_head·d_head]. */
  readonly attend: (heads: Heads) => Tensor;
};

/** A network of two streams as a chain of stages: embedding, equal blocks, head. */
export type XLNet = {
  readonly kind: "two-stream";
  readonly model_type: string;
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  /** Infinity: distances have no end, so a sequence is as long as memory allows. */
  readonly max_position_embeddings: number;
  readonly attention: StreamConfig;
  readonly embeddingParameter: Parameter;
  /** What every query row starts from, [1, 1, hidden_size]. */
  readonly queryParameter: Parameter;
  /** By full name what tells segments apart: there is one, and what it adds to a query's scores is the same for every key. */
  readonly idleParameters: readonly Parameter[];
  /** Both of these: all that is neither a block's nor embedding or head. */
  readonly moreParameters: readonly Parameter[];
  readonly blockPrefix: (layer: number) => string;
  readonly blockParameters: readonly Parameter[];
  readonly linears: readonly Parameter[];
  readonly joins: readonly Join[];
  readonly block: (hooks: StreamHooks, x: Tensor) => Tensor;
  readonly headParameters: readonly Parameter[];
  /** Logits [n, vocab_size] of query rows. */
  readonly head: (hooks: HeadHooks, x: Tensor) => Tensor;
};

/** The configuration with its defaults filled in; refuses what the blocks below do not compute. */
export function parseXLNetConfig(file: ConfigFile): XLNetConfig {
  refuse(file, "ff_activation", [...Object.keys(activations), null]);
  refuse(file, "attn_type", ["bi", null]);
  refuse(file, "bi_data", [false, null]);
  const d_model = integerOf(file, "d_model");
  // Waves of distances are halves of sines and cosines.
  if (d_model % 2 !== 0) refuse(file, "d_model", [d_model - 1, d_model + 1]);
  const n_head = integerOf(file, "n_head");
  refuse({ d_head: file.d_head ?? d_model / n_head }, "d_head", [d_model / n_head]);
  return {
    vocab_size: integerOf({ vocab_size: file.vocab_size ?? file.n_token }, "vocab_size"),
    d_model,
    n_layer: integerOf({ num_hidden_layers: file.n_layer ?? file.num_hidden_layers }, "num_hidden_layers"),
    n_head,
    d_head: integerOf({ d_head: d_model / n_head }, "d_head"),
    d_inner: integerOf(file, "d_inner"),
    ff_activation: (file.ff_activation ?? "gelu") as keyof typeof activations,
    layer_norm_eps: numberOf(file, "layer_norm_eps", 1e-12),
    clamp_len: typeof file.clamp_len === "number" ? file.clamp_len : -1,
    tie_word_embeddings: file.tie_word_embeddings !== false,
  };
}

/** The network that an XLNet's config.json describes. */
export function xlnet(file: ConfigFile): XLNet {
  const config = parseXLNetConfig(file);
  const { d_model: d, d_inner, vocab_size } = config;
  const embedding = "transformer.word_embedding.weight";
  const headWeight = config.tie_word_embeddings ? embedding : "lm_loss.weight";
  const queryParameter = { name: "transformer.mask_emb", shape: [1, 1, d] };
  const idle = idleParameters(config);
  return {
    kind: "two-stream",
    model_type: "xlnet",
    vocab_size,
    hidden_size: d,
    num_hidden_layers: config.n_layer,
    max_position_embeddings: Infinity,
    attention: config,
    embeddingParameter: { name: embedding, shape: [vocab_size, d] },
    queryParameter,
    idleParameters: idle,
    moreParameters: [queryParameter, ...idle],
    blockPrefix: prefixOf,
    blockParameters: blockParameters(config),
    linears: [
      { name: "ff.layer_1", shape: [d_inner, d] },
      { name: "ff.layer_2", shape: [d, d_inner] },
    ],
    joins: [
      { name: "rel_attn", role: "attention" },
      { name: "ff", role: "output" },
    ],
    block: (hooks, x) => feedForward(config, hooks, selfAttention(config, hooks, x)),
    headParameters: [
      { name: headWeight, shape: [vocab_size, d] },
      { name: "lm_loss.bias", shape: [vocab_size] },
    ],
    head: ({ parameter, beforeLogits = (y) => y }, x) =>
      add(linear(beforeLogits(x), parameter(headWeight)), parameter("lm_loss.bias")),
  };
}

function prefixOf(layer: number): string {
  return `transformer.layer.${layer}.`;
}

function idleParameters({ n_layer, n_head, d_head }: XLNetConfig): Parameter[] {
  return Array.from({ length: n_layer }, (_, layer) => [
    { name: `${prefixOf(layer)}rel_attn.r_s_bias`, shape: [n_head, d_head] },
    { name: `${prefixOf(layer)}rel_attn.seg_embed`, shape: [2, n_head, d_head] },
  ]).flat();
}

function blockParameters({ d_model: d, n_head, d_head, d_inner }: XLNetConfig): Parameter[] {
  return [
    ...["q", "k", "v", "o", "r"].map((name) => ({ name: `rel_attn.${name}`, shape: [d, n_head, d_head] })),
    ...["r_r_bias", "r_w_bias"].map((name) => ({ name: `rel_attn.${name}`, shape: [n_head, d_head] })),
    ...["rel_attn", "ff"].flatMap((part) => [
      { name: `${part}.layer_norm.weight`, shape: [d] },
      { name: `${part}.layer_norm.bias`, shape: [d] },
    ]),
    { name: "ff.layer_1.weight", shape: [d_inner, d] },
    { name: "ff.layer_1.bias", shape: [d_inner] },
    { name: "ff.layer_2.weight", shape: [d, d_inner] },
    { name: "ff.layer_2.bias", shape: [d] },
  ];
}

/** The norm of a residual stream after the sub-layer `part`. */
function normal(config: XLNetConfig, { parameter }: StreamHooks, part: string): (x: Tensor) => Tensor {
  const [scale, bias] = ["weight", "bias"].map((kind) => parameter(`${part}.layer_norm.${kind}`));
  return (x) => layerNorm(x, { scale: scale!, bias: bias! }, config.layer_norm_eps);
}

function selfAttention(config: XLNetConfig, hooks: StreamHooks, x: Tensor): Tensor {
  const { n_head, d_head, d_model } = config;
  const wide = n_head * d_head;
  const matrix = (name: string) => reshape(hooks.parameter(`rel_attn.${name}`), [d_model, wide]);
  const project = (rows: Tensor, name: string) => apply("Gemm", [rows, matrix(name)]);
  const bias = (name: string) => reshape(hooks.parameter(`rel_attn.${name}`), [wide]);
  const q = project(x, "q");
  const content = slice(x, 0, [0, hooks.content]);
  const mixed = hooks.attend({
    toContent: add(q, bias("r_w_bias")),
    toDistance: add(q, bias("r_r_bias")),
    k: project(content, "k"),
    v: project(content, "v"),
    distanceKeys: (waves) => project(waves, "r"),
  });
  return normal(config, hooks, "rel_attn")(hooks.join("rel_attn", x, linear(mixed, matrix("o"))));
}

function feedForward(config: XLNetConfig, hooks: StreamHooks, x: Tensor): Tensor {
  const affine = (rows: Tensor, name: string) =>
    add(hooks.linear(rows, [name])[0]!, hooks.parameter(`${name}.bias`));
  const inner = activations[config.ff_activation](affine(x, "ff.layer_1"));
  return normal(config, hooks, "ff")(hooks.join("ff", x, affine(inner, "ff.layer_2")));
}

const activations = {
  gelu,
  relu: (x: Tensor) => apply("Relu", [x]),
} as const;

/** x/2 · (1 + erf(x / √2)). */
function gelu(x: Tensor): Tensor {
  return apply("Mul", [scaled(x, 0.5), add(apply("Erf", [scaled(x, Math.SQRT1_2)]), scalar(1))]);
}

/** Rows of one stream of a run: `queries` of them in each of `batch` sequences of `keys` content rows. */
export type StreamExtent = { readonly batch: number; readonly queries: number; readonly keys: number };

/** What a stream's rows look at. */
export type StreamHeads = Pick<Heads, "toContent" | "toDistance" | "k" | "v"> & {
  /** Keys of distances [queries + keys, n_head·d_head], the first that of the first query's place + queries, then less. */
  readonly distances: Tensor;
  /** [batch, 1, queries, keys]: 0, or enough to hide a key. */
  readonly mask: Tensor;
};

/** Attention of one stream's rows over the content: [batch · queries, n_head·d_head]. */
export function streamAttention(
  { n_head: heads, d_head: d }: StreamConfig,
  { batch, queries, keys }: StreamExtent,
  { toContent, toDistance, k, v, distances, mask }: StreamHeads,
): Tensor {
  const split = (x: Tensor, length: number, perm: readonly number[]) =>
    transpose(reshape(x, [batch, length, heads, d]), perm);
  const byContent = matMul(split(toContent, queries, [0, 2, 1, 3]), split(k, keys, [0, 2, 3, 1]));
  const far = transpose(reshape(distances, [queries + keys, heads, d]), [1, 2, 0]);
  const byDistance = relativeShift(matMul(split(toDistance, queries, [0, 2, 1, 3]), far), keys);
  const scores = scaled(add(byContent, byDistance), 1 / Math.sqrt(d));
  const mixed = matMul(softmax(add(scores, mask)), split(v, keys, [0, 2, 1, 3]));
  return reshape(transpose(mixed, [0, 2, 1, 3]), [batch * queries, heads * d]);
}

/**
 * Of scores [batch, heads, n, n + keys] by distance, where each row's distances begin alike, those by key: row i from
 * column n - i on. Read with a step of one less than their width, rows move by one each (Dai et al., 2019).
 */
function relativeShift(x: Tensor, keys: number): Tensor {
  const [batch, heads, n, wide] = x.shape as [number, number, number, number];
  const flat = slice(reshape(x, [batch, heads, n * wide]), 2, [n, n * wide]);
  return slice(reshape(flat, [batch, heads, n, wide - 1]), 3, [0, keys]);
}

/** Both streams' rows below each other: content rows, then query rows. */
export function streams(content: Tensor, queries: Tensor): Tensor {
  return concat([content, queries], 0);
}

/** Waves [count, d_model] of the distances `first`, `first` - 1, …: sines, then cosines; f32 at every step as there. */
export function distanceWaves(
  { d_model, clamp_len }: StreamConfig,
  { first, count }: { readonly first: number; readonly count: number },
): Float32Array {
  const half = d_model / 2;
  const frequencies = Float32Array.from(
    { length: half },
    (_, i) => 1 / Math.fround(10000 ** Math.fround((2 * i) / d_model)),
  );
  const waves = new Float32Array(count * d_model);
  for (let row = 0; row < count; row++) {
    const distance = clamp_len > 0 ? Math.max(-clamp_len, Math.min(clamp_len, first - row)) : first - row;
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(distance * frequencies[i]!);
      waves[row * d_model + i] = Math.sin(angle);
      waves[row * d_model + half + i] = Math.cos(angle);
    }
  }
  return waves;
}

/** Every parameter by its full name, each once. */
export function xlnetParameters(model: XLNet): Parameter[] {
  const blocks = Array.from({ length: model.num_hidden_layers }, (_, layer) =>
    model.blockParameters.map(({ name, shape }) => ({ name: model.blockPrefix(layer) + name, shape })),
  ).flat();
  const all = [model.embeddingParameter, ...model.moreParameters, ...blocks, ...model.headParameters];
  return [...new Map(all.map((parameter) => [parameter.name, parameter])).values()];
}

// What an architecture gives: its parameters by their names in the weights file, and functions that build its
// stages as graph. It knows no weights, no adapter and no device; those reach it through the hooks.

import type { Tensor } from "../graph/tensor.ts";
import type { RopeConfig } from "./rope.ts";

export type Parameter = { readonly name: string; readonly shape: readonly number[] };

/** How a stage under construction gets at what is outside it. */
export type Hooks = {
  /** A parameter by its name within the stage, such as `input_layernorm.weight`. */
  readonly parameter: (name: string) => Tensor;
  /** x·Wᵀ for each of the linear layers named, which share the input x [n, in]. */
  readonly linear: (x: Tensor, names: readonly string[]) => readonly Tensor[];
  /** Attention of q [n, heads·d] over k, v [n, kv heads·d]: [n, heads·d]. Rotary positions are its work too. */
  readonly attend: (q: Tensor, k: Tensor, v: Tensor) => Tensor;
  /** What the residual stream [n, hidden_size] becomes after the sub-layer of that name: without an adapter the sum. */
  readonly join: (name: string, residual: Tensor, output: Tensor) => Tensor;
  /** The rows of x [n, ..] that are wanted of what follows attention, and that `attend` gives; all where it is not given. */
  readonly wanted?: (x: Tensor) => Tensor;
  /** f(x) of a function that treats every row alike, at once where it is not given. */
  readonly byRows?: (x: Tensor, f: (rows: Tensor) => Tensor) => Tensor;
  /** x, of a wide layer inside f, whose values may stay until the way back; x itself where it is not given. */
  readonly stays?: (x: Tensor) => Tensor;
};

/** How the head gets at what is outside it; `beforeLogits` stands between the last norm and the vocabulary. */
export type HeadHooks = Pick<Hooks, "parameter"> & { readonly beforeLogits?: (x: Tensor) => Tensor };

/** A place after a sub-layer of a block, by the name that `join` is called with, and what the sub-layer is. */
export type Join = { readonly name: string; readonly role: "attention" | "cross" | "output" };

/** Sizes that attention needs, by their names in `config.json`. */
export type AttentionConfig = RopeConfig & {
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
};

/** A decoder-only network as a chain of stages: embedding, equal blocks, head. Hidden states are [n, hidden_size]. */
export type Model = {
  readonly kind: "decoder";
  readonly model_type: string;
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly max_position_embeddings: number;
  readonly attention: AttentionConfig;
  /** Parameters of one block by their names within it, and what stands before them in the weights file. */
  readonly blockParameters: readonly Parameter[];
  readonly blockPrefix: (layer: number) => string;
  /** Linear layers of a block by their names within it: [out, in]. */
  readonly linears: readonly Parameter[];
  /** Places after the sub-layers of a block, in order. */
  readonly joins: readonly Join[];
  /** Parameters outside the blocks, by their full names. */
  readonly embeddingParameter: Parameter;
  readonly headParameters: readonly Parameter[];
  readonly block: (hooks: Hooks, x: Tensor) => Tensor;
  /** Logits [n, vocab_size] of hidden states. */
  readonly head: (hooks: HeadHooks, x: Tensor) => Tensor;
};

/** Every parameter of the network by its full name; a tied head's matrix appears once. */
export function allParameters(model: Model): Parameter[] {
  const blocks = Array.from({ length: model.num_hidden_layers }, (_, layer) =>
    model.blockParameters.map(({ name, shape }) => ({ name: model.blockPrefix(layer) + name, shape })),
  ).flat();
  const unique = new Map(
    [model.embeddingParameter, ...blocks, ...model.headParameters].map((p) => [p.name, p]),
  );
  return [...unique.values()];
}

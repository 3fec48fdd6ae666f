// What a kind of adapter is: the arrays it has, and what it does at each place where a network lets it in. A new kind
// is a file that gives such an object, and a row in `kinds.ts`.

import type { Tensor } from "../graph/tensor.ts";
import type { AdapterConfig } from "./adapter.ts";

export type Parameter = { readonly name: string; readonly shape: readonly number[] };

/** The part of a model that says where an adapter can be. */
export type Layers = {
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly blockPrefix: (layer: number) => string;
  /** Linear layers of a block by their names within it: [out, in]. */
  readonly linears: readonly Parameter[];
  /** Places after the sub-layers of a block. */
  readonly joins: readonly { readonly name: string; readonly role: "attention" | "cross" | "output" }[];
  readonly blockParameters: readonly Parameter[];
  readonly embeddingParameter: Parameter;
  readonly headParameters: readonly Parameter[];
};

/** How an array starts: `row-norms` are the L2 norms of a base matrix's rows, `copy` the base's own array. */
export type Initial =
  | { readonly kind: "zeros" }
  | { readonly kind: "uniform"; readonly bound: number }
  /** `within` deviations at most. */
  | { readonly kind: "normal"; readonly deviation: number; readonly within?: number }
  | { readonly kind: "row-norms"; readonly of: string }
  | { readonly kind: "copy" };

export type Planned = Parameter & { readonly initial: Initial };

export type LinearHook = (x: Tensor, names: readonly string[]) => readonly Tensor[];
export type JoinHook = (name: string, residual: Tensor, output: Tensor) => Tensor;
export type ParameterHook = (name: string) => Tensor;

/** What a kind builds a block with: the hooks as they are without it, and its own arrays. */
export type BlockContext = {
  readonly model: Layers;
  readonly layer: number;
  readonly parameter: ParameterHook;
  readonly linear: LinearHook;
  readonly join: JoinHook;
  /** Given while training: masks an input, under a name that is unique within the block. */
  readonly dropout: (x: Tensor, name: string) => Tensor;
  /** Whether the arrays are those of `frozenArrays`, with all that can be known beforehand computed. */
  readonly frozen: boolean;
};

export type AdapterKind<C extends AdapterConfig> = {
  /** Arrays of one block, by their names within it. */
  readonly block: (config: C, model: Layers, layer: number) => readonly Planned[];
  /** Arrays outside the blocks, by their full names. */
  readonly outer: (config: C, model: Layers) => readonly Planned[];
  readonly hooks: (
    config: C,
    context: BlockContext,
  ) => { readonly linear: LinearHook; readonly join: JoinHook };
  /** What becomes of the embedding's rows [n, hidden_size]. */
  readonly afterEmbedding: (config: C, parameter: ParameterHook, x: Tensor) => Tensor;
  /** What becomes of that which goes into the vocabulary product. */
  readonly beforeLogits: (config: C, parameter: ParameterHook, x: Tensor) => Tensor;
};

// What a kind of adapter is: the arrays it has, and what it does at each place where a network lets it in. A new kind
// is a file that gives such an object, and a row in `kinds.ts`.

import type { DType } from "../base/dtype.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { AdapterConfig } from "./adapter.ts";

export type Parameter = {
  readonly name: string;
  readonly shape: readonly number[];
  /** How a program takes it, f32 when not given. */
  readonly dtype?: DType;
};

/** Equal blocks one after another: the part of a model that says where an adapter can be. */
export type Chain = {
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly blockPrefix: (layer: number) => string;
  /** Linear layers of a block by their names within it: [out, in]. */
  readonly linears: readonly Parameter[];
  /** Places after the sub-layers of a block. */
  readonly joins: readonly { readonly name: string; readonly role: "attention" | "cross" | "output" }[];
  readonly blockParameters: readonly Parameter[];
};

/** A chain with what stands before and after it. */
export type Layers = Chain & {
  readonly embeddingParameter: Parameter;
  readonly headParameters: readonly Parameter[];
  /** What else there is, by full name, which no adapter changes. */
  readonly moreParameters?: readonly Parameter[];
  /** Of a chain that is not the whole network: its place in it. */
  readonly within?: Within;
};

/** The number of a chain's first block, counted over all chains, and the chains. */
export type Within = { readonly first: number; readonly chains: readonly Chain[] };

/** A model with an encoder and a decoder, whose blocks differ. */
export type Twofold = Omit<Layers, keyof Chain> & {
  readonly hidden_size: number;
  readonly encoder: Chain & Positioned;
  readonly memoryParameters: readonly Parameter[];
  readonly decoder: Chain & Positioned;
};

/** A chain with tables of positions, which no adapter changes. */
type Positioned = { readonly positionParameters: readonly Parameter[] };

/** What an adapter can be made for. */
export type Adaptable = Layers | Twofold;

export function isTwofold(model: Adaptable): model is Twofold {
  return "encoder" in model;
}

/** The chains of a model in order: most have one. */
export function chainsOf(model: Adaptable): readonly Layers[] {
  if (!isTwofold(model)) return [model];
  const { encoder, decoder, embeddingParameter, headParameters, memoryParameters } = model;
  const chains = [encoder, decoder];
  const outside = { embeddingParameter, headParameters: [...memoryParameters, ...headParameters] };
  return [
    { ...encoder, ...outside, within: { first: 0, chains } },
    { ...decoder, ...outside, within: { first: encoder.num_hidden_layers, chains } },
  ];
}

/** The linear layers that a name may mean: those of all chains, each name once. */
export function linearsOf(model: Layers): readonly Parameter[] {
  return model.within ? allOf(model.within, ({ linears }) => linears) : model.linears;
}

/** The same for every parameter of a block. */
export function blockParametersOf(model: Layers): readonly Parameter[] {
  return model.within ? allOf(model.within, (chain) => chain.blockParameters) : model.blockParameters;
}

function allOf({ chains }: Within, pick: (chain: Chain) => readonly Parameter[]): readonly Parameter[] {
  return [...new Map(chains.flatMap(pick).map((parameter) => [parameter.name, parameter])).values()];
}

/** Outputs of linear layers. */
export function outputsOf({ linears }: Pick<Layers, "linears">, names: readonly string[]): number[] {
  return names.map((name) => linears.find((layer) => layer.name === name)!.shape[0]!);
}

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
/** The products of some layers that share an input beside each other, [n, sum of outputs]. */
export type Products = { readonly names: readonly string[]; readonly product: Tensor };
/** Products of layers that share an input, in their order, as they are joined; `null` where they are the base's own. */
export type JointHook = (x: Tensor, names: readonly string[]) => readonly Products[] | null;
export type JoinHook = (name: string, residual: Tensor, output: Tensor) => Tensor;
export type ParameterHook = (name: string) => Tensor;

/** What a kind builds a block with: the hooks as they are without it, and its own arrays. */
export type BlockContext = {
  readonly model: Layers;
  readonly layer: number;
  readonly parameter: ParameterHook;
  readonly linear: LinearHook;
  readonly joint: JointHook;
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

// What an architecture with an encoder and a decoder gives: two chains of equal blocks, one over the request, one over
// the answer that looks at what the first has made of it. It knows no weights, no adapter and no device.

import type { Tensor } from "../graph/tensor.ts";
import { allParameters, type HeadHooks, type Hooks, type Join, type Model, type Parameter } from "./model.ts";
import { type XLNet, xlnetParameters } from "./xlnet.ts";

/** Sizes that attention with relative positions needs, by their names in T5's `config.json`. */
export type RelativeConfig = {
  readonly num_heads: number;
  readonly d_kv: number;
  readonly relative_attention_num_buckets: number;
  readonly relative_attention_max_distance: number;
};

/** Sequences of one run, each padded to `length`. */
export type Padded = { readonly batch: number; readonly length: number };

/** What all blocks of a chain are given alike, by name. */
export type Shared = Readonly<Record<string, Tensor>>;

/** Numbers that a batch's lengths say: which positions are real. */
export type Masks = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>
>;

/**
 * How an encoder's block gets at what is outside it; it attends by itself, over all of its padded input. Of one sequence
 * `bias` may hold what `mask` says.
 */
export type EncoderHooks = Omit<Hooks, "attend"> & { readonly padded: Padded; readonly shared: Shared };

/** How a decoder's block gets at the memory: attention of q [n, heads·d] over what `project` makes of it, k and v. */
export type MemoryHooks = Hooks & {
  readonly attendMemory: (q: Tensor, project: (memory: Tensor) => readonly [k: Tensor, v: Tensor]) => Tensor;
};

/** A chain of equal blocks over hidden states [n, hidden_size]. */
export type Stack<H> = {
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  /** What stands before the names of a block's parameters in the weights file. */
  readonly blockPrefix: (layer: number) => string;
  readonly blockParameters: readonly Parameter[];
  readonly linears: readonly Parameter[];
  readonly joins: readonly Join[];
  /** Tables of what each distance of two positions adds to the scores, by full name: the same for all blocks. */
  readonly positionParameters: readonly Parameter[];
  /** What these tables say of sequences of a length. */
  readonly positions: (hooks: Pick<Hooks, "parameter">, length: number) => Shared;
  readonly block: (hooks: H, x: Tensor) => Tensor;
};

export type Encoder = Stack<EncoderHooks> & {
  /** What the blocks must know of the lengths of a batch's sequences. */
  readonly masks: (lengths: readonly number[], padded: Padded) => Masks;
  /** Scores of one head over a sequence of a length: what memory grows with. */
  readonly scoreCount: (length: number) => number;
};

export type EncoderDecoder = {
  readonly kind: "encoder-decoder";
  readonly model_type: string;
  readonly vocab_size: number;
  readonly hidden_size: number;
  /** Infinity: distances have no end, so a sequence is as long as memory allows. */
  readonly max_position_embeddings: number;
  /** The id that stands before the answer's first. */
  readonly decoder_start_token_id: number;
  readonly attention: RelativeConfig;
  /** Of both chains. */
  readonly embeddingParameter: Parameter;
  readonly encoder: Encoder;
  /** What becomes of the encoder's last hidden states before the decoder sees them. */
  readonly memoryParameters: readonly Parameter[];
  readonly memory: (hooks: Pick<Hooks, "parameter">, x: Tensor) => Tensor;
  readonly decoder: Stack<MemoryHooks>;
  readonly headParameters: readonly Parameter[];
  /** Logits [n, vocab_size] of the decoder's hidden states. */
  readonly head: (hooks: HeadHooks, x: Tensor) => Tensor;
};

/** A network of any kind. */
export type AnyModel = Model | EncoderDecoder | XLNet;

/** Every parameter by its full name, each once. */
export function everyParameter(model: AnyModel): Parameter[] {
  if (model.kind === "decoder") return allParameters(model);
  if (model.kind === "two-stream") return xlnetParameters(model);
  const ofStack = (stack: Omit<Stack<never>, "block">) => [
    ...stack.positionParameters,
    ...Array.from({ length: stack.num_hidden_layers }, (_, layer) =>
      stack.blockParameters.map(({ name, shape }) => ({ name: stack.blockPrefix(layer) + name, shape })),
    ).flat(),
  ];
  const all = [
    model.embeddingParameter,
    ...ofStack(model.encoder),
    ...model.memoryParameters,
    ...ofStack(model.decoder),
    ...model.headParameters,
  ];
  return [...new Map(all.map((parameter) => [parameter.name, parameter])).values()];
}

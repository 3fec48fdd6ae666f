// What an architecture with an encoder and a decoder gives: two chains of equal blocks, one over the request, one over
// the answer that looks at what the first has made of it. It knows no weights, no adapter and no device.

import type { Tensor } from "../graph/tensor.ts";
import type { HeadHooks, Hooks, Join, Parameter } from "./model.ts";

/** Sizes that attention with relative positions needs, by their names in T5's `config.json`. */
export type RelativeConfig = {
  readonly num_heads: number;
  readonly d_kv: number;
  readonly relative_attention_num_buckets: number;
  readonly relative_attention_max_distance: number;
};

/** How a decoder's block gets at the memory: attention of q [n, heads·d] over what `project` makes of it, k and v. */
export type MemoryHooks = Hooks & {
  readonly attendMemory: (q: Tensor, project: (memory: Tensor) => readonly [k: Tensor, v: Tensor]) => Tensor;
};

/** A chain of equal blocks over hidden states [n, hidden_size]; `attend` of its hooks knows the positions. */
export type Stack<H extends Hooks> = {
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  /** What stands before the names of a block's parameters in the weights file. */
  readonly blockPrefix: (layer: number) => string;
  readonly blockParameters: readonly Parameter[];
  readonly linears: readonly Parameter[];
  readonly joins: readonly Join[];
  /** What each distance of two positions adds to the scores, [buckets, heads]: one table for all blocks. */
  readonly positionParameter: Parameter;
  readonly block: (hooks: H, x: Tensor) => Tensor;
};

export type EncoderDecoder = {
  readonly model_type: string;
  readonly vocab_size: number;
  readonly hidden_size: number;
  /** The id that stands before the answer's first. */
  readonly decoder_start_token_id: number;
  readonly attention: RelativeConfig;
  /** Of both chains. */
  readonly embeddingParameter: Parameter;
  readonly encoder: Stack<Hooks>;
  /** What becomes of the encoder's last hidden states before the decoder sees them. */
  readonly memoryParameters: readonly Parameter[];
  readonly memory: (hooks: Pick<Hooks, "parameter">, x: Tensor) => Tensor;
  readonly decoder: Stack<MemoryHooks>;
  readonly headParameters: readonly Parameter[];
  /** Logits [n, vocab_size] of the decoder's hidden states. */
  readonly head: (hooks: HeadHooks, x: Tensor) => Tensor;
};

/** Every parameter by its full name, each once. */
export function allStackParameters(model: EncoderDecoder): Parameter[] {
  const ofStack = (stack: Omit<EncoderDecoder["encoder"], "block">) => [
    stack.positionParameter,
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

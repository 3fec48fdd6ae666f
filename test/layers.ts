// For tests only: a model of two layers as adapters see one, with the linear layers given.

import type { Layers, Parameter } from "../src/adapters/kind.ts";

/** Hidden size 4, places after self_attn and mlp, a norm in each block, an untied head of six tokens. */
export function layersOf(linears: readonly Parameter[]): Layers & { readonly model_type: string } {
  return {
    model_type: "llama",
    hidden_size: 4,
    num_hidden_layers: 2,
    blockPrefix: (layer) => `model.layers.${layer}.`,
    linears,
    joins: [
      { name: "self_attn", role: "attention" },
      { name: "mlp", role: "output" },
    ],
    blockParameters: [
      { name: "norm.weight", shape: [4] },
      ...linears.map(({ name, shape }) => ({ name: `${name}.weight`, shape })),
    ],
    embeddingParameter: { name: "model.embed_tokens.weight", shape: [6, 4] },
    headParameters: [
      { name: "model.norm.weight", shape: [4] },
      { name: "lm_head.weight", shape: [6, 4] },
    ],
  };
}

// Llama: RMSNorm, rotary positions (plain or as Llama 3.1 stretches them), grouped-query attention, SwiGLU, tied or
// untied head. Names are those of the weights file and of config.json. Source:
// transformers:src/transformers/models/llama/modeling_llama.py.

import type { Tensor } from "../graph/tensor.ts";
import { type ConfigFile, refuse } from "./config.ts";
import { type DecoderConfig, decoderModel, parseDecoderConfig } from "./decoder.ts";
import type { Hooks, Model } from "./model.ts";

/** The configuration with its defaults filled in; refuses what the blocks below do not compute. */
export function parseLlamaConfig(file: ConfigFile): DecoderConfig {
  refuse(file, "attention_bias", [false]);
  refuse(file, "mlp_bias", [false]);
  return parseDecoderConfig(file, { max_position_embeddings: 2048, head_dim: undefined });
}

/** The network that a Llama's config.json describes. */
export function llama(file: ConfigFile): Model {
  return decoderModel({
    model_type: "llama",
    config: parseLlamaConfig(file),
    moreParameters: [],
    attention,
  });
}

function attention({ linear, attend }: Hooks, x: Tensor): Tensor {
  const [q, k, v] = linear(x, ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]);
  return linear(attend(q!, k!, v!), ["self_attn.o_proj"])[0]!;
}

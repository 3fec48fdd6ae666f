// Qwen2 and Qwen2.5 (Coder too): a Llama whose q, k and v have biases. Names are those of the weights file and of
// config.json. Source: transformers:src/transformers/models/qwen2/modeling_qwen2.py.

import { add } from "../graph/build.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { ConfigFile } from "./config.ts";
import { type DecoderConfig, decoderModel, parseDecoderConfig, refuseWindows } from "./decoder.ts";
import type { Hooks, Model, Parameter } from "./model.ts";

const BIASED = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"] as const;

/** The network that a Qwen2's config.json describes. */
export function qwen2(file: ConfigFile): Model {
  refuseWindows(file);
  const config = parseDecoderConfig(file, { max_position_embeddings: 32768, head_dim: undefined });
  return decoderModel({
    model_type: "qwen2",
    config,
    moreParameters: biases(config),
    attention,
  });
}

function biases({ num_attention_heads, num_key_value_heads, head_dim }: DecoderConfig): Parameter[] {
  const heads = [num_attention_heads, num_key_value_heads, num_key_value_heads];
  return BIASED.map((name, i) => ({ name: `${name}.bias`, shape: [heads[i]! * head_dim] }));
}

function attention({ parameter, linear, attend }: Hooks, x: Tensor): Tensor {
  const [q, k, v] = linear(x, BIASED).map((y, i) => add(y, parameter(`${BIASED[i]}.bias`)));
  return linear(attend(q!, k!, v!), ["self_attn.o_proj"])[0]!;
}

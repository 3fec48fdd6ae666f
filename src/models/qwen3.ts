// Qwen3: a Llama whose heads of q and k are normalised, each by itself, before they are rotated; heads have a size of
// their own (head_dim). Names are those of the weights file and of config.json. Source:
// transformers:src/transformers/models/qwen3/modeling_qwen3.py.

import { reshape, rmsNorm } from "../graph/build.ts";
import type { Tensor } from "../graph/tensor.ts";
import { type ConfigFile, refuse } from "./config.ts";
import { type DecoderConfig, decoderModel, parseDecoderConfig, refuseWindows } from "./decoder.ts";
import type { Hooks, Model } from "./model.ts";

/** The network that a Qwen3's config.json describes. */
export function qwen3(file: ConfigFile): Model {
  refuse(file, "attention_bias", [false]);
  refuseWindows(file);
  const config = parseDecoderConfig(file, { max_position_embeddings: 32768, head_dim: 128 });
  return decoderModel({
    model_type: "qwen3",
    config,
    moreParameters: [
      { name: "self_attn.q_norm.weight", shape: [config.head_dim] },
      { name: "self_attn.k_norm.weight", shape: [config.head_dim] },
    ],
    attention: (hooks, x) => attention(config, hooks, x),
  });
}

function attention(config: DecoderConfig, { parameter, linear, attend }: Hooks, x: Tensor): Tensor {
  const [q, k, v] = linear(x, ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]);
  const eachHead = (y: Tensor, scale: string) => {
    const heads = reshape(y, [-1, config.head_dim]);
    return reshape(rmsNorm(heads, parameter(scale), config.rms_norm_eps), y.shape);
  };
  const attended = attend(
    eachHead(q!, "self_attn.q_norm.weight"),
    eachHead(k!, "self_attn.k_norm.weight"),
    v!,
  );
  return linear(attended, ["self_attn.o_proj"])[0]!;
}

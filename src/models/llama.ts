// Llama: RMSNorm, rotary positions, grouped-query attention, SwiGLU, tied or untied head. Names are those of the
// weights file and of config.json. Source: transformers:src/transformers/models/llama/modeling_llama.py.

import { UserError } from "../base/errors.ts";
import { add, linear, mul, rmsNorm, silu } from "../graph/build.ts";
import type { Tensor } from "../graph/tensor.ts";
import { type ConfigFile, integerOf, numberOf, refuse } from "./config.ts";
import type { Hooks, Model } from "./model.ts";

export type LlamaConfig = {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly head_dim: number;
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
  readonly max_position_embeddings: number;
  readonly tie_word_embeddings: boolean;
};

/** The configuration with its defaults filled in; refuses what the blocks below do not compute. */
export function parseLlamaConfig(config: ConfigFile): LlamaConfig {
  refuse(config, "hidden_act", ["silu"]);
  refuse(config, "attention_bias", [false]);
  refuse(config, "mlp_bias", [false]);
  refuse(config, "partial_rotary_factor", [1]);
  // transformers 5 keeps the rotary settings in an object of their own.
  const rope = (config.rope_parameters ?? config.rope_scaling ?? {}) as ConfigFile;
  refuse(rope, "rope_type", ["default"]);
  refuse(rope, "type", ["default"]);
  const hidden_size = integerOf(config, "hidden_size");
  const num_attention_heads = integerOf(config, "num_attention_heads");
  const num_key_value_heads = integerOf(config, "num_key_value_heads", num_attention_heads);
  const head_dim = integerOf(config, "head_dim", hidden_size / num_attention_heads);
  requireHeads({ num_attention_heads, num_key_value_heads, head_dim });
  return {
    vocab_size: integerOf(config, "vocab_size"),
    hidden_size,
    intermediate_size: integerOf(config, "intermediate_size"),
    num_hidden_layers: integerOf(config, "num_hidden_layers"),
    num_attention_heads,
    num_key_value_heads,
    head_dim,
    rms_norm_eps: numberOf(config, "rms_norm_eps", 1e-6),
    rope_theta: numberOf(config, "rope_theta", (rope.rope_theta as number | undefined) ?? 10000),
    max_position_embeddings: integerOf(config, "max_position_embeddings", 2048),
    tie_word_embeddings: config.tie_word_embeddings === true,
  };
}

/** Grouped heads divide the heads evenly, and the fused attention of generation takes heads of a multiple of 16. */
function requireHeads(
  found: Pick<LlamaConfig, "num_attention_heads" | "num_key_value_heads" | "head_dim">,
): void {
  const { num_attention_heads, num_key_value_heads, head_dim } = found;
  if (num_attention_heads % num_key_value_heads !== 0) {
    throw new UserError(
      `Expected num_attention_heads to be a multiple of num_key_value_heads in the model's config, found ${num_attention_heads} and ${num_key_value_heads}`,
    );
  }
  if (head_dim % 16 !== 0) {
    throw new UserError(
      `Expected head_dim to be a multiple of 16, which is what generation can run, found ${head_dim}; choose another base with --model`,
    );
  }
}

/** The network that a Llama's config.json describes. */
export function llama(file: ConfigFile): Model {
  const config = parseLlamaConfig(file);
  const d = config.hidden_size;
  const linears = linearShapes(config);
  const headWeight = config.tie_word_embeddings ? "model.embed_tokens.weight" : "lm_head.weight";
  return {
    model_type: "llama",
    vocab_size: config.vocab_size,
    hidden_size: d,
    num_hidden_layers: config.num_hidden_layers,
    max_position_embeddings: config.max_position_embeddings,
    attention: config,
    blockPrefix: (layer) => `model.layers.${layer}.`,
    blockParameters: [
      { name: "input_layernorm.weight", shape: [d] },
      { name: "post_attention_layernorm.weight", shape: [d] },
      ...linears.map(({ name, shape }) => ({ name: `${name}.weight`, shape })),
    ],
    linears,
    embeddingParameter: { name: "model.embed_tokens.weight", shape: [config.vocab_size, d] },
    headParameters: [
      { name: "model.norm.weight", shape: [d] },
      { name: headWeight, shape: [config.vocab_size, d] },
    ],
    block: (hooks, x) => block(config, hooks, x),
    head: ({ parameter }, x) =>
      linear(rmsNorm(x, parameter("model.norm.weight"), config.rms_norm_eps), parameter(headWeight)),
  };
}

function linearShapes(config: LlamaConfig) {
  const { hidden_size: d, intermediate_size: m, head_dim } = config;
  const q = config.num_attention_heads * head_dim;
  const kv = config.num_key_value_heads * head_dim;
  return [
    { name: "self_attn.q_proj", shape: [q, d] },
    { name: "self_attn.k_proj", shape: [kv, d] },
    { name: "self_attn.v_proj", shape: [kv, d] },
    { name: "self_attn.o_proj", shape: [d, q] },
    { name: "mlp.gate_proj", shape: [m, d] },
    { name: "mlp.up_proj", shape: [m, d] },
    { name: "mlp.down_proj", shape: [d, m] },
  ];
}

function block(config: LlamaConfig, hooks: Hooks, x: Tensor): Tensor {
  const afterAttention = add(x, attention(config, hooks, x));
  return add(afterAttention, mlp(config, hooks, afterAttention));
}

function attention(config: LlamaConfig, { parameter, linear, attend }: Hooks, x: Tensor): Tensor {
  const normal = rmsNorm(x, parameter("input_layernorm.weight"), config.rms_norm_eps);
  const [q, k, v] = linear(normal, ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]);
  return linear(attend(q!, k!, v!), ["self_attn.o_proj"])[0]!;
}

function mlp(config: LlamaConfig, { parameter, linear }: Hooks, x: Tensor): Tensor {
  const normal = rmsNorm(x, parameter("post_attention_layernorm.weight"), config.rms_norm_eps);
  const [gate, up] = linear(normal, ["mlp.gate_proj", "mlp.up_proj"]);
  return linear(mul(silu(gate!), up!), ["mlp.down_proj"])[0]!;
}

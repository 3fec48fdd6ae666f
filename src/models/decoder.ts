// What Llama and those after it really share: sizes by their names in config.json, a block around its attention, the
// chain of embedding, blocks and head. How a block attends stands in each architecture's file.
// Source: transformers:src/transformers/models/{llama,qwen2,qwen3}.

import { UserError } from "../base/errors.ts";
import { linear, rmsNorm, swiglu } from "../graph/build.ts";
import type { Tensor } from "../graph/tensor.ts";
import { type ConfigFile, integerOf, numberOf, refuse } from "./config.ts";
import type { AttentionConfig, Hooks, Model, Parameter } from "./model.ts";
import { parseRope } from "./rope.ts";

export type DecoderConfig = AttentionConfig & {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly rms_norm_eps: number;
  readonly max_position_embeddings: number;
  readonly tie_word_embeddings: boolean;
};

/** What a configuration may leave out; `head_dim` undefined stands for hidden_size / num_attention_heads. */
export type DecoderDefaults = {
  readonly max_position_embeddings: number;
  readonly head_dim: number | undefined;
};

/** The sizes with their defaults filled in; refuses what the blocks do not compute. */
export function parseDecoderConfig(file: ConfigFile, defaults: DecoderDefaults): DecoderConfig {
  refuse(file, "hidden_act", ["silu"]);
  const hidden_size = integerOf(file, "hidden_size");
  const num_attention_heads = integerOf(file, "num_attention_heads");
  const num_key_value_heads = integerOf(file, "num_key_value_heads", num_attention_heads);
  const head_dim = integerOf(file, "head_dim", defaults.head_dim ?? hidden_size / num_attention_heads);
  requireHeads({ num_attention_heads, num_key_value_heads, head_dim });
  const max_position_embeddings = integerOf(
    file,
    "max_position_embeddings",
    defaults.max_position_embeddings,
  );
  return {
    vocab_size: integerOf(file, "vocab_size"),
    hidden_size,
    intermediate_size: integerOf(file, "intermediate_size"),
    num_hidden_layers: integerOf(file, "num_hidden_layers"),
    num_attention_heads,
    num_key_value_heads,
    head_dim,
    rms_norm_eps: numberOf(file, "rms_norm_eps", 1e-6),
    ...parseRope(file, max_position_embeddings),
    max_position_embeddings,
    tie_word_embeddings: file.tie_word_embeddings === true,
  };
}

/** Grouped heads divide the heads evenly, and the fused attention of generation takes heads of a multiple of 16. */
function requireHeads(
  found: Pick<DecoderConfig, "num_attention_heads" | "num_key_value_heads" | "head_dim">,
) {
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

/** Refuses attention over a window of positions only, in both of the ways in which it is written down. */
export function refuseWindows(file: ConfigFile): void {
  refuse(file, "use_sliding_window", [false, null]);
  const types: unknown = file.layer_types ?? [];
  if (!Array.isArray(types)) refuse(file, "layer_types", []);
  else for (const type of types) refuse({ layer_types: type }, "layer_types", ["full_attention"]);
}

/** What tells one architecture of the family from another. */
export type DecoderParts = {
  readonly model_type: string;
  readonly config: DecoderConfig;
  /** Parameters of a block besides its two norms and its linear layers' weights. */
  readonly moreParameters: readonly Parameter[];
  /** q, k, v, attention and o of the normalised x. */
  readonly attention: (hooks: Hooks, x: Tensor) => Tensor;
};

/** The chain of embedding, blocks and head. */
export function decoderModel({ model_type, config, moreParameters, attention }: DecoderParts): Model {
  const d = config.hidden_size;
  const linears = linearShapes(config);
  const headWeight = config.tie_word_embeddings ? "model.embed_tokens.weight" : "lm_head.weight";
  return {
    kind: "decoder",
    model_type,
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
      ...moreParameters,
    ],
    linears,
    joins: [
      { name: "self_attn", role: "attention" },
      { name: "mlp", role: "output" },
    ],
    embeddingParameter: { name: "model.embed_tokens.weight", shape: [config.vocab_size, d] },
    headParameters: [
      { name: "model.norm.weight", shape: [d] },
      { name: headWeight, shape: [config.vocab_size, d] },
    ],
    block: (hooks, x) => {
      const normal = (stream: Tensor, name: string) =>
        rmsNorm(stream, hooks.parameter(name), config.rms_norm_eps);
      const attended = attention(hooks, normal(x, "input_layernorm.weight"));
      const middle = hooks.join("self_attn", hooks.wanted?.(x) ?? x, attended);
      const last = (rows: Tensor) =>
        hooks.join("mlp", rows, mlp(hooks, normal(rows, "post_attention_layernorm.weight")));
      return hooks.byRows?.(middle, last) ?? last(middle);
    },
    head: ({ parameter, beforeLogits = (y) => y }, x) => {
      const normal = rmsNorm(x, parameter("model.norm.weight"), config.rms_norm_eps);
      return linear(beforeLogits(normal), parameter(headWeight));
    },
  };
}

function linearShapes(config: DecoderConfig): Parameter[] {
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

/** down(silu(gate(x)) ∘ up(x)). */
function mlp({ linear, stays = (wide) => wide }: Hooks, x: Tensor): Tensor {
  const [gate, up] = linear(x, ["mlp.gate_proj", "mlp.up_proj"]).map(stays);
  return linear(swiglu(gate!, up!), ["mlp.down_proj"])[0]!;
}

// What a GGUF architecture calls things, and what Hugging Face calls them: one row per architecture. Arrays are
// named by tables, `config` gets the keys of config.json. Names: gguf-py's constants.py; row order: the `permute`
// of llama.cpp's convert_hf_to_gguf.py. It reads no file.

import { UserError } from "../base/errors.ts";
import { nearestName } from "../base/options.ts";
import { type GgufMetadata, shortest } from "./gguf-metadata.ts";

export type GgufArchitecture = {
  /** `general.architecture`. */
  readonly architecture: string;
  readonly modelType: string;
  /** Names outside the blocks. */
  readonly names: Readonly<Record<string, string>>;
  /** Names inside block i, without `blk.{i}.` and `model.layers.{i}.`. */
  readonly blockNames: Readonly<Record<string, string>>;
  /** Block names whose rows were interleaved per head, with the config key that counts those heads. */
  readonly interleaved: Readonly<Record<string, "num_attention_heads" | "num_key_value_heads">>;
  config(metadata: GgufMetadata, arrays: ReadonlyMap<string, readonly number[]>): Record<string, unknown>;
};

const llama: GgufArchitecture = {
  architecture: "llama",
  modelType: "llama",
  names: {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
  },
  blockNames: {
    "attn_norm.weight": "input_layernorm.weight",
    "attn_q.weight": "self_attn.q_proj.weight",
    "attn_k.weight": "self_attn.k_proj.weight",
    "attn_v.weight": "self_attn.v_proj.weight",
    "attn_output.weight": "self_attn.o_proj.weight",
    "attn_q.bias": "self_attn.q_proj.bias",
    "attn_k.bias": "self_attn.k_proj.bias",
    "attn_v.bias": "self_attn.v_proj.bias",
    "attn_output.bias": "self_attn.o_proj.bias",
    "ffn_norm.weight": "post_attention_layernorm.weight",
    "ffn_gate.weight": "mlp.gate_proj.weight",
    "ffn_up.weight": "mlp.up_proj.weight",
    "ffn_down.weight": "mlp.down_proj.weight",
  },
  interleaved: {
    "attn_q.weight": "num_attention_heads",
    "attn_q.bias": "num_attention_heads",
    "attn_k.weight": "num_key_value_heads",
    "attn_k.bias": "num_key_value_heads",
  },
  config: decoderConfig,
};

export const architectures: readonly GgufArchitecture[] = [llama];

/** The row of an architecture, or a `UserError` that lists the supported ones. */
export function architectureOf(metadata: GgufMetadata): GgufArchitecture {
  const found = metadata.text("general.architecture");
  const row = architectures.find((candidate) => candidate.architecture === found);
  if (row !== undefined) return row;
  const known = architectures.map((candidate) => candidate.architecture);
  const nearest = nearestName(found, known) ?? known[0];
  throw new UserError(
    `Expected a model of architecture ${known.join(", ")} in ${metadata.path}, found ${found}: the nearest supported one is ${nearest}, choose such a model with --model`,
  );
}

export type HuggingFaceName = {
  readonly name: string;
  /** Config key that counts the heads whose rows are interleaved; undefined when they are not. */
  readonly heads: "num_attention_heads" | "num_key_value_heads" | undefined;
};

/** The Hugging Face name of an array; undefined when the table has none. */
export function huggingFaceName(row: GgufArchitecture, ggufName: string): HuggingFaceName | undefined {
  const block = /^blk\.(0|[1-9]\d{0,4})\.(.+)$/.exec(ggufName);
  if (block === null) {
    const name = lookUp(row.names, ggufName);
    return name === undefined ? undefined : { name, heads: undefined };
  }
  const [, index, inner] = block;
  const name = lookUp(row.blockNames, inner!);
  return name === undefined
    ? undefined
    : { name: `model.layers.${index}.${name}`, heads: row.interleaved[inner!] };
}

/** The names come from a file: "constructor" must not find what every object has. */
function lookUp(names: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(names, name) ? names[name] : undefined;
}

/** The config.json of a decoder of Llama's family. */
function decoderConfig(
  metadata: GgufMetadata,
  arrays: ReadonlyMap<string, readonly number[]>,
): Record<string, unknown> {
  const heads = metadata.integer("attention.head_count");
  const hidden = metadata.integer("embedding_length");
  const headSize = metadata.optionalInteger("attention.key_length");
  const keyValueHeads = metadata.optionalInteger("attention.head_count_kv") ?? heads;
  metadata.requireDivides("attention.head_count_kv", keyValueHeads, heads);
  if (headSize === undefined) metadata.requireDivides("attention.head_count", heads, hidden);
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_act: "silu",
    hidden_size: hidden,
    intermediate_size: metadata.integer("feed_forward_length"),
    num_hidden_layers: metadata.integer("block_count"),
    num_attention_heads: heads,
    num_key_value_heads: keyValueHeads,
    ...(headSize === undefined ? {} : { head_dim: headSize }),
    rms_norm_eps: shortest(metadata.number("attention.layer_norm_rms_epsilon")),
    rope_theta: shortest(metadata.optionalNumber("rope.freq_base") ?? 10000),
    ...ropeScaling(metadata, headSize ?? hidden / heads),
    max_position_embeddings: metadata.integer("context_length"),
    vocab_size: arrays.get("token_embd.weight")?.[0] ?? metadata.integer("vocab_size"),
    tie_word_embeddings: !arrays.has("output.weight"),
    attention_bias: arrays.has("blk.0.attn_q.bias"),
    mlp_bias: false,
    ...tokenIds(metadata),
    torch_dtype: "float32",
  };
}

/** What departs from plain rotary positions, so that a model that cannot do it can refuse. */
function ropeScaling(metadata: GgufMetadata, headSize: number): Record<string, unknown> {
  const rotated = metadata.optionalInteger("rope.dimension_count") ?? headSize;
  const partial = rotated === headSize ? {} : { partial_rotary_factor: rotated / headSize };
  const type = metadata.optionalText("rope.scaling.type");
  if (type === undefined || type === "none") return partial;
  const original = metadata.optionalInteger("rope.scaling.original_context_length");
  return {
    ...partial,
    rope_scaling: {
      rope_type: type,
      factor: metadata.number("rope.scaling.factor"),
      ...(original === undefined ? {} : { original_max_position_embeddings: original }),
    },
  };
}

function tokenIds(metadata: GgufMetadata): Record<string, unknown> {
  const ids = {
    bos_token_id: metadata.values["tokenizer.ggml.bos_token_id"],
    eos_token_id: metadata.values["tokenizer.ggml.eos_token_id"],
    pad_token_id: metadata.values["tokenizer.ggml.padding_token_id"],
  };
  return Object.fromEntries(Object.entries(ids).filter(([, id]) => typeof id === "number"));
}

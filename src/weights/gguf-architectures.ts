// What a GGUF architecture calls things, and what Hugging Face calls them: one row per architecture. Arrays are
// named by tables, `config` gets the keys of config.json. Names: gguf-py's constants.py and tensor_mapping.py; row order:
// the `permute` of llama.cpp's convert_hf_to_gguf.py. It reads no file.

import { UserError } from "../base/errors.ts";
import { nearestName } from "../base/options.ts";
import { showText } from "../base/show.ts";
import { type GgufMetadata, shortest } from "./gguf-metadata.ts";
import { llama3Scaling } from "./gguf-rope.ts";

/** What each rotary frequency is divided by: how llama.cpp's converter writes Llama 3.1's stretched positions. */
const ROPE_FACTORS = "rope_freqs.weight";

/** The file as far as a row needs it: what it says, the shapes of its arrays, and the values of a small one. */
export type GgufContents = {
  readonly metadata: GgufMetadata;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Values of an array that is there. */
  readonly read: (name: string) => Float32Array;
};

/** Blocks whose arrays are called `{from}.{i}.…` in the file, `{to}.{i}.…` by Hugging Face. */
type Chain = { readonly from: string; readonly to: string; readonly names: Readonly<Record<string, string>> };

export type GgufArchitecture = {
  /** `general.architecture`. */
  readonly architecture: string;
  readonly modelType: string;
  /** Names outside the blocks. */
  readonly names: Readonly<Record<string, string>>;
  /** Chains of blocks. */
  readonly chains: readonly Chain[];
  /** Block names whose rows were interleaved per head, with the config key that counts those heads. */
  readonly interleaved: Readonly<Record<string, "num_attention_heads" | "num_key_value_heads">>;
  /** Arrays that are part of the config, not of the weights. */
  readonly settings: readonly string[];
  config(contents: GgufContents): Record<string, unknown>;
};

const decoderNames = {
  "token_embd.weight": "model.embed_tokens.weight",
  "output_norm.weight": "model.norm.weight",
  "output.weight": "lm_head.weight",
} as const;

const decoderBlockNames = {
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
} as const;

const decoderChains: readonly Chain[] = [{ from: "blk", to: "model.layers", names: decoderBlockNames }];

const llama: GgufArchitecture = {
  architecture: "llama",
  modelType: "llama",
  names: decoderNames,
  chains: decoderChains,
  interleaved: {
    "attn_q.weight": "num_attention_heads",
    "attn_q.bias": "num_attention_heads",
    "attn_k.weight": "num_key_value_heads",
    "attn_k.bias": "num_key_value_heads",
  },
  settings: [ROPE_FACTORS],
  config: (contents) => ({
    ...decoderConfig("llama", contents),
    attention_bias: contents.shapes.has("blk.0.attn_q.bias"),
    mlp_bias: false,
  }),
};

/** Rows of q and k stay in order: llama.cpp rotates this family's halves as Hugging Face does. */
const qwen2: GgufArchitecture = {
  architecture: "qwen2",
  modelType: "qwen2",
  names: decoderNames,
  chains: decoderChains,
  interleaved: {},
  settings: [],
  config: (contents) => decoderConfig("qwen2", contents),
};

const qwen3: GgufArchitecture = {
  architecture: "qwen3",
  modelType: "qwen3",
  names: decoderNames,
  chains: [
    {
      from: "blk",
      to: "model.layers",
      names: {
        ...decoderBlockNames,
        "attn_q_norm.weight": "self_attn.q_norm.weight",
        "attn_k_norm.weight": "self_attn.k_norm.weight",
      },
    },
  ],
  interleaved: {},
  settings: [],
  config: (contents) => ({
    ...decoderConfig("qwen3", contents),
    attention_bias: contents.shapes.has("blk.0.attn_q.bias"),
  }),
};

/** Arrays of T5's attention; `at` is where it stands in a block. */
function attentionNames(gguf: string, at: string): Record<string, string> {
  const [, layer] = /^(layer\.\d+)\./.exec(at)!;
  return {
    [`${gguf}_norm.weight`]: `${layer}.layer_norm.weight`,
    [`${gguf}_q.weight`]: `${at}.q.weight`,
    [`${gguf}_k.weight`]: `${at}.k.weight`,
    [`${gguf}_v.weight`]: `${at}.v.weight`,
    [`${gguf}_o.weight`]: `${at}.o.weight`,
  };
}

/** Arrays of T5's feed-forward layer, with a gate (v1.1) or without. */
function feedForwardNames(layer: string, isGated: boolean): Record<string, string> {
  const at = `${layer}.DenseReluDense`;
  return {
    "ffn_norm.weight": `${layer}.layer_norm.weight`,
    "ffn_up.weight": isGated ? `${at}.wi_1.weight` : `${at}.wi.weight`,
    ...(isGated ? { "ffn_gate.weight": `${at}.wi_0.weight` } : {}),
    "ffn_down.weight": `${at}.wo.weight`,
  };
}

/** T5 with a gate or without: what `ffn_up` is called, only that tells. */
function t5(isGated: boolean): GgufArchitecture {
  const relative = "layer.0.SelfAttention.relative_attention_bias.weight";
  return {
    architecture: "t5",
    modelType: "t5",
    names: {
      "token_embd.weight": "shared.weight",
      "output.weight": "lm_head.weight",
      "enc.output_norm.weight": "encoder.final_layer_norm.weight",
      "dec.output_norm.weight": "decoder.final_layer_norm.weight",
      // In the first block only; one that has it in each (UMT5) computes something else.
      "enc.blk.0.attn_rel_b.weight": `encoder.block.0.${relative}`,
      "dec.blk.0.attn_rel_b.weight": `decoder.block.0.${relative}`,
    },
    chains: [
      {
        from: "enc.blk",
        to: "encoder.block",
        names: {
          ...attentionNames("attn", "layer.0.SelfAttention"),
          ...feedForwardNames("layer.1", isGated),
        },
      },
      {
        from: "dec.blk",
        to: "decoder.block",
        names: {
          ...attentionNames("attn", "layer.0.SelfAttention"),
          ...attentionNames("cross_attn", "layer.1.EncDecAttention"),
          ...feedForwardNames("layer.2", isGated),
        },
      },
    ],
    interleaved: {},
    // The first T5s have it, and nothing ever used it.
    settings: ["dec.blk.0.cross_attn_rel_b.weight"],
    config: (contents) => t5Config(contents, isGated),
  };
}

/** The rows by architecture; where a name has several, what arrays there are decides. */
const rows: Readonly<Record<string, (contents: GgufContents) => GgufArchitecture>> = {
  llama: () => llama,
  qwen2: () => qwen2,
  qwen3: () => qwen3,
  t5: ({ shapes }) => t5(shapes.has("enc.blk.0.ffn_gate.weight")),
};

/** The row of a file's architecture, or a `UserError` that lists the supported ones. */
export function architectureOf(contents: GgufContents): GgufArchitecture {
  const { metadata } = contents;
  const found = metadata.text("general.architecture");
  if (Object.hasOwn(rows, found)) return rows[found]!(contents);
  const known = Object.keys(rows);
  const nearest = nearestName(showText(found), known) ?? known[0];
  throw new UserError(
    `Expected a model of architecture ${known.join(", ")} in ${metadata.path}, found ${showText(found)}: the nearest supported one is ${nearest}, choose such a model with --model`,
  );
}

export type HuggingFaceName = {
  readonly name: string;
  /** Config key that counts the heads whose rows are interleaved; undefined when they are not. */
  readonly heads: "num_attention_heads" | "num_key_value_heads" | undefined;
};

/** The Hugging Face name of an array; undefined when the table has none. */
export function huggingFaceName(row: GgufArchitecture, ggufName: string): HuggingFaceName | undefined {
  const whole = lookUp(row.names, ggufName);
  if (whole !== undefined) return { name: whole, heads: undefined };
  const [, from, index, inner] = /^((?:\w+\.)?blk)\.(0|[1-9]\d{0,4})\.(.+)$/.exec(ggufName) ?? [];
  const chain = row.chains.find((candidate) => candidate.from === from);
  const name = chain && lookUp(chain.names, inner!);
  return name === undefined
    ? undefined
    : { name: `${chain!.to}.${index}.${name}`, heads: row.interleaved[inner!] };
}

/** The names come from a file: "constructor" must not find what every object has. */
function lookUp(names: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(names, name) ? names[name] : undefined;
}

/** Class names that transformers has for them. */
const CLASSES = { llama: "LlamaForCausalLM", qwen2: "Qwen2ForCausalLM", qwen3: "Qwen3ForCausalLM" } as const;

/** The config.json of a decoder of Llama's family. */
function decoderConfig(model_type: keyof typeof CLASSES, contents: GgufContents): Record<string, unknown> {
  const { metadata, shapes } = contents;
  const heads = metadata.integer("attention.head_count");
  const hidden = metadata.integer("embedding_length");
  const headSize = metadata.optionalInteger("attention.key_length");
  const keyValueHeads = metadata.optionalInteger("attention.head_count_kv") ?? heads;
  metadata.requireDivides("attention.head_count_kv", keyValueHeads, heads);
  if (headSize === undefined) metadata.requireDivides("attention.head_count", heads, hidden);
  const rope_theta = shortest(metadata.optionalNumber("rope.freq_base") ?? 10000);
  const head_dim = headSize ?? hidden / heads;
  return {
    architectures: [CLASSES[model_type]],
    model_type,
    hidden_act: "silu",
    hidden_size: hidden,
    intermediate_size: metadata.integer("feed_forward_length"),
    num_hidden_layers: metadata.integer("block_count"),
    num_attention_heads: heads,
    num_key_value_heads: keyValueHeads,
    ...(headSize === undefined ? {} : { head_dim: headSize }),
    rms_norm_eps: shortest(metadata.number("attention.layer_norm_rms_epsilon")),
    rope_theta,
    ...ropeScaling(contents, { head_dim, rope_theta }),
    max_position_embeddings: metadata.integer("context_length"),
    vocab_size: shapes.get("token_embd.weight")?.[0] ?? metadata.integer("vocab_size"),
    tie_word_embeddings: !shapes.has("output.weight"),
    ...tokenIds(metadata),
    torch_dtype: "float32",
  };
}

/** llama.cpp has this number in its code, not in the file (llama-graph.cpp: llama_relative_position_bucket). */
const T5_MAX_DISTANCE = 128;

/** The config.json of a T5. Which activation it has follows from its gate, as in llama.cpp. */
function t5Config({ metadata, shapes }: GgufContents, isGated: boolean): Record<string, unknown> {
  const layers = metadata.integer("block_count");
  return {
    architectures: ["T5ForConditionalGeneration"],
    model_type: "t5",
    d_model: metadata.integer("embedding_length"),
    d_kv: metadata.integer("attention.key_length"),
    d_ff: metadata.integer("feed_forward_length"),
    num_layers: layers,
    num_decoder_layers: metadata.optionalInteger("decoder_block_count") ?? layers,
    num_heads: metadata.integer("attention.head_count"),
    relative_attention_num_buckets: metadata.integer("attention.relative_buckets_count"),
    relative_attention_max_distance: T5_MAX_DISTANCE,
    feed_forward_proj: isGated ? "gated-gelu" : "relu",
    layer_norm_epsilon: shortest(metadata.number("attention.layer_norm_rms_epsilon")),
    n_positions: metadata.optionalInteger("context_length") ?? 512,
    vocab_size: shapes.get("token_embd.weight")?.[0] ?? metadata.integer("vocab_size"),
    tie_word_embeddings: !shapes.has("output.weight"),
    is_encoder_decoder: true,
    decoder_start_token_id: 0,
    ...tokenIds(metadata),
    torch_dtype: "float32",
  };
}

/** What departs from plain rotary positions, so that a model that cannot do it can refuse. */
function ropeScaling(
  { metadata, shapes, read }: GgufContents,
  rope: { readonly head_dim: number; readonly rope_theta: number },
): Record<string, unknown> {
  const rotated = metadata.optionalInteger("rope.dimension_count") ?? rope.head_dim;
  const partial = rotated === rope.head_dim ? {} : { partial_rotary_factor: rotated / rope.head_dim };
  if (shapes.has(ROPE_FACTORS)) {
    requireFactors(metadata.path, shapes.get(ROPE_FACTORS)!, rope.head_dim);
    return { ...partial, rope_scaling: llama3Scaling(read(ROPE_FACTORS), { ...rope, path: metadata.path }) };
  }
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

function requireFactors(path: string, shape: readonly number[], head_dim: number): void {
  if (shape.length === 1 && shape[0] === head_dim / 2) return;
  throw new UserError(
    `Expected ${ROPE_FACTORS} in ${path} to have ${head_dim / 2} values, found [${shape.join(", ")}]: the file is damaged`,
  );
}

function tokenIds(metadata: GgufMetadata): Record<string, unknown> {
  const ids = {
    bos_token_id: metadata.values["tokenizer.ggml.bos_token_id"],
    eos_token_id: metadata.values["tokenizer.ggml.eos_token_id"],
    pad_token_id: metadata.values["tokenizer.ggml.padding_token_id"],
    decoder_start_token_id: metadata.values["t5.decoder_start_token_id"],
  };
  return Object.fromEntries(Object.entries(ids).filter(([, id]) => typeof id === "number"));
}

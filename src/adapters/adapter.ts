// What an adapter is, as data: its kind and sizes, the layers it is on, and its arrays by name. Nothing here
// computes; a kind's file (`lora.ts`, `bottleneck.ts`) builds the graph, `peft.ts` and `hub.ts` read and write files.

import type { Activation } from "./activations.ts";

/** What every kind has. */
type Shared = {
  /** Modules of the base that are trained whole, by whole name or last part, such as embed_tokens. */
  readonly modules_to_save: readonly string[];
};

/** Sizes and places of a LoRA, by the names of PEFT's `LoraConfig`. */
export type LoraConfig = Shared & {
  readonly kind: "lora";
  readonly r: number;
  readonly lora_alpha: number;
  readonly use_rslora: boolean;
  readonly use_dora: boolean;
  readonly lora_dropout: number;
  /** Names of linear layers by their last part, such as q_proj. */
  readonly target_modules: readonly string[];
  /** Numbers of the layers that get it; `null` is all. */
  readonly layers_to_transform: readonly number[] | null;
};

/** A bottleneck after sub-layers, by the names of AdapterHub's `BnConfig`. */
export type BottleneckConfig = Shared & {
  readonly kind: "bottleneck";
  readonly mh_adapter: boolean;
  readonly output_adapter: boolean;
  readonly cross_adapter: boolean;
  /** The width is hidden_size divided by this; or by layer number as text, `default` for the others. */
  readonly reduction_factor: number | Readonly<Record<string, number>>;
  readonly non_linearity: Activation;
  readonly original_ln_before: boolean;
  readonly original_ln_after: boolean;
  readonly residual_before_ln: boolean;
  readonly is_parallel: boolean;
  readonly scaling: number;
  readonly init_weights: "bert" | "mam_adapter" | "houlsby";
  readonly inv_adapter: "nice" | null;
  readonly inv_adapter_reduction_factor: number | null;
  /** Whether what goes into the vocabulary product passes the invertible adapter's inverse first. */
  readonly inverse_before_logits: boolean;
  /** Numbers of the layers without it. */
  readonly leave_out: readonly number[];
  readonly dropout: number;
};

/** The options of an adapter of either kind. */
export type AdapterConfig = LoraConfig | BottleneckConfig;

/** A trainable array: f32, row-major. */
export type TrainedArray = { readonly shape: readonly number[]; readonly data: Float32Array };

/** An adapter as data. Its arrays are live: training writes to them in place. */
export type Adapter<C extends AdapterConfig = AdapterConfig> = {
  readonly config: C;
  /**
   * By full name: a LoRA's as PEFT has them without `base_model.model.`, such as
   * model.layers.0.self_attn.q_proj.lora_A.weight; a bottleneck's behind the name of its place, such as
   * model.layers.0.mlp.adapter_down.weight; a module's that is trained whole by the base's own name.
   */
  readonly arrays: ReadonlyMap<string, TrainedArray>;
};

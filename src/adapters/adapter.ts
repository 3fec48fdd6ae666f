// What an adapter is, as data: its kind and sizes, the layers it is on, and its arrays by PEFT's names. Nothing
// here computes; `lora.ts` builds the graph, `peft.ts` reads and writes the files.

/** Sizes and places of a LoRA, by the names of PEFT's `LoraConfig`. */
export type LoraConfig = {
  readonly kind: "lora";
  readonly r: number;
  readonly lora_alpha: number;
  readonly use_rslora: boolean;
  /** Names of linear layers by their last part, such as q_proj. */
  readonly target_modules: readonly string[];
};

/** A trainable array: f32, row-major. */
export type TrainedArray = { readonly shape: readonly number[]; readonly data: Float32Array };

/** An adapter as data. Its arrays are live: training writes to them in place. */
export type Adapter = {
  readonly config: LoraConfig;
  /** By full name without PEFT's `base_model.model.`, such as model.layers.0.self_attn.q_proj.lora_A.weight. */
  readonly arrays: ReadonlyMap<string, TrainedArray>;
};

// Where AdapterHub's `adapters` puts things in each architecture: a row for each `model_type`, from
// adapters:src/adapters/models/*/mixin_*.py and wrappers/interfaces.py.

import { UserError } from "../base/errors.ts";

export type HubModel = {
  /** The class that a user loads for generation. */
  readonly model_class: string;
  /** What stands for a place after a sub-layer, by our name of it. */
  readonly joins: Readonly<Record<string, string>>;
  /** What stands before `invertible_adapters`. */
  readonly invertible: string;
  /** Whether that class undoes the invertible adapter before the vocabulary product. */
  readonly inverse: boolean;
  /** Linear layers that can have a LoRA: those of `attn_matrices` by letter, and two switches. */
  readonly loras: Readonly<Record<string, "q" | "k" | "v" | "intermediate_lora" | "output_lora">>;
};

const attention = { "self_attn.q_proj": "q", "self_attn.k_proj": "k", "self_attn.v_proj": "v" } as const;
const joins = { self_attn: "attention_adapters.adapters", mlp: "output_adapters.adapters" };

/** Qwen is reached through hooks, which also stand before the head; its switches lie the other way round than Llama's. */
function qwen(model_class: string): HubModel {
  return {
    ...{ model_class, joins, invertible: "model.", inverse: true },
    loras: { ...attention, "mlp.up_proj": "intermediate_lora", "mlp.down_proj": "output_lora" },
  };
}

/** What an attention has of T5's, and its other two switches on the feed-forward layer: the gate's second, or the only. */
function t5(model_class: string, encoder: readonly string[]): HubModel {
  const attended = (place: string) => ["q", "k", "v"].map((letter) => [`${place}.${letter}`, letter]);
  const fed = (place: string) => [
    [`${place}.DenseReluDense.wi`, "intermediate_lora"],
    [`${place}.DenseReluDense.wi_1`, "intermediate_lora"],
    [`${place}.DenseReluDense.wo`, "output_lora"],
  ];
  const attentions = [...encoder, "layer.0.SelfAttention", "layer.1.EncDecAttention"].flatMap(attended);
  return {
    model_class,
    joins: Object.fromEntries([0, 1, 2].map((i) => [`layer.${i}`, `layer.${i}.adapters`])),
    // Only the encoder has one.
    ...{ invertible: "encoder.", inverse: false },
    loras: Object.fromEntries([...attentions, ...fed("layer.1"), ...fed("layer.2")]),
  };
}

/** Adapters has none: names of its plug-in interface, which docs/python/xlnet_adapters.py fills in; no LoRA there. */
function xlnet(): HubModel {
  return {
    model_class: "XLNetLMHeadModel",
    joins: { rel_attn: "attention_adapters.adapters", ff: "output_adapters.adapters" },
    ...{ invertible: "transformer.", inverse: true, loras: {} },
  };
}

const models: ReadonlyMap<string, HubModel> = new Map([
  [
    "llama",
    {
      ...{ model_class: "LlamaForCausalLM", joins, invertible: "model.", inverse: false },
      loras: { ...attention, "mlp.down_proj": "intermediate_lora", "mlp.up_proj": "output_lora" },
    },
  ],
  ["qwen2", qwen("Qwen2ForCausalLM")],
  ["qwen3", qwen("Qwen3ForCausalLM")],
  ["t5", t5("T5ForConditionalGeneration", [])],
  // adapters has none: T5's names, which docs/python/longt5_adapters.py teaches it.
  [
    "longt5",
    t5("LongT5ForConditionalGeneration", [
      "layer.0.LocalSelfAttention",
      "layer.0.TransientGlobalSelfAttention",
    ]),
  ],
  ["xlnet", xlnet()],
]);

/** The row of an architecture, if adapters knows it. */
export function findHubModel(model_type: string): HubModel | undefined {
  return models.get(model_type);
}

/** The same; a `UserError` where adapters does not know it. */
export function hubModelOf(model_type: string): HubModel {
  const found = findHubModel(model_type);
  if (found) return found;
  throw new UserError(
    `Expected a model of type ${[...models.keys()].join(", ")} for an adapter in AdapterHub's files, found ${model_type}; train a LoRA instead`,
  );
}

/** Classes with heads of adapters' own undo the invertible adapter before them. */
export function isInverseBeforeLogits(model_type: string, model_class: unknown): boolean {
  return hubModelOf(model_type).inverse || /AdapterModel$/.test(String(model_class));
}

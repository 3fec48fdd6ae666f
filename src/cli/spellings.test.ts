import assert from "node:assert/strict";
import { test } from "node:test";
import { spellingOf } from "./spellings.ts";
import { runOptions } from "./steps/options.ts";

/** Names of Hugging Face's TrainingArguments (v5, and v4's where they differ), TRL's SFTConfig and PEFT's LoraConfig. */
const FOREIGN = [
  ...[
    "output_dir",
    "per_device_train_batch_size",
    "per_device_eval_batch_size",
    "gradient_accumulation_steps",
  ],
  ...["num_train_epochs", "max_steps", "learning_rate", "lr_scheduler_type", "warmup_steps", "optim"],
  ...["weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm", "label_smoothing_factor"],
  ...["gradient_checkpointing", "bf16", "fp16", "eval_strategy", "eval_steps", "save_strategy", "save_steps"],
  ...["save_total_limit", "load_best_model_at_end", "metric_for_best_model", "greater_is_better"],
  ...["logging_steps", "logging_first_step", "seed", "data_seed", "report_to", "run_name"],
  ...["resume_from_checkpoint", "auto_find_batch_size", "use_cpu"],
  ...["evaluation_strategy", "warmup_ratio", "no_cuda", "overwrite_output_dir"],
  ...["max_length", "completion_only_loss", "assistant_only_loss", "dataset_text_field", "eos_token"],
  ...["chat_template_path", "loss_type", "packing", "packing_strategy"],
  ...["r", "lora_alpha", "lora_dropout", "target_modules", "use_rslora", "use_dora", "modules_to_save"],
  ...["layers_to_transform", "lora_r", "lora_target"],
];

test("every name that other trainers have is one of ours, or is passed over with a line that says why", () => {
  const unknown = FOREIGN.filter((name) => !Object.hasOwn(runOptions, name) && !spellingOf(name, runOptions));
  assert.deepEqual(unknown, []);
});

test("what would send something somewhere, or change what is trained, is not passed over", () => {
  for (const name of ["push_to_hub", "hub_token", "hub_model_id", "deepspeed"]) {
    assert.equal(spellingOf(name, runOptions), undefined, name);
  }
});

test("a table without an option does not know other names for it", () => {
  assert.equal(spellingOf("lora_r", {}), undefined);
  assert.equal(spellingOf("fp16", {}), undefined);
});

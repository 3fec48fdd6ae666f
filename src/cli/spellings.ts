// Names that other trainers, and the scripts of 2022, have for options of ours: each is taken for ours with a line that
// says so. What is always so here, or has nothing to switch, is named too and passed over.

/** An option's name here, by the name that others have for it. */
const NAMES: Readonly<Record<string, string>> = {
  evaluation_strategy: "eval_strategy",
  warmup_ratio: "warmup_steps",
  label_smoothing: "label_smoothing_factor",
  lr: "learning_rate",
  num_epochs: "num_train_epochs",
  epochs: "num_train_epochs",
  batch_size: "per_device_train_batch_size",
  max_source_length: "max_in_len",
  max_target_length: "max_out_len",
  max_seq_length: "max_length",
  cutoff_len: "max_length",
  lora_r: "r",
  lora_rank: "r",
  lora_target: "target_modules",
  model_name_or_path: "model",
  base_model: "model",
  output_dir: "run",
  run_name: "run",
  overwrite_output_dir: "restart",
  adapter_config: "adapter",
  load_adapter: "continue_from",
  adapter_name_or_path: "continue_from",
};

/** Values by option: what others call one of ours. */
const VALUES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  optim: { adamw: "adamw_torch", adamw_hf: "adamw_torch", adamw_torch_fused: "adamw_torch" },
  method: { lora: "adapter" },
};

type Needless = { readonly takesValue: boolean; readonly why: string };

const flag = (why: string): Needless => ({ takesValue: false, why });
const value = (why: string): Needless => ({ takesValue: true, why });

const NEEDLESS: Readonly<Record<string, Needless>> = {
  no_cuda: flag("everything runs on the processor"),
  use_cpu: flag("everything runs on the processor"),
  bf16: flag("numbers are f32"),
  fp16: flag("numbers are f32"),
  gradient_checkpointing: flag("it is always done"),
  completion_only_loss: flag("only the answer is trained"),
  assistant_only_loss: flag("only the answer is trained"),
  auto_find_batch_size: flag("--memory says how much memory may be taken"),
  logging_first_step: flag("every step is told"),
  do_train: flag("train trains"),
  do_eval: flag("--eval_strategy says when"),
  train_adapter: value("--method says whether an adapter is trained"),
  logging_steps: value("every step is told"),
  save_strategy: value("--save_steps says when"),
  data_seed: value("--seed gives the order too"),
  metric_for_best_model: value("the best has the lowest held-out loss"),
  greater_is_better: value("the best has the lowest held-out loss"),
  dataset_text_field: value("a dataset has fields of its own"),
  eos_token: value("the tokenizer says what ends an answer"),
  chat_template_path: value("prompts have the form that --format gives them"),
  packing_strategy: value("rows are filled from the longest example down"),
  loss_type: value("the loss is the cross-entropy of the answer"),
  per_device_eval_batch_size: value("held-out examples go one at a time"),
  resume_from_checkpoint: value("a run goes on from its checkpoint by itself"),
};

/** What a foreign name is here: another name, or nothing that could be set. */
export type Spelling =
  | { readonly kind: "name"; readonly name: string; readonly warning: string }
  | { readonly kind: "needless"; readonly takesValue: boolean; readonly warning: string };

/** A name that a table does not have, where it is known from elsewhere and the table has what it means. */
export function spellingOf(name: string, table: Readonly<Record<string, unknown>>): Spelling | undefined {
  if (Object.hasOwn(table, name)) return undefined;
  const ours = Object.hasOwn(NAMES, name) ? NAMES[name]! : undefined;
  if (ours !== undefined && Object.hasOwn(table, ours)) {
    return { kind: "name", name: ours, warning: `--${name} is --${ours} here` };
  }
  const needless = Object.hasOwn(NEEDLESS, name) ? NEEDLESS[name]! : undefined;
  if (needless === undefined || !Object.hasOwn(table, "learning_rate")) return undefined;
  const warning = `--${name} is passed over: ${needless.why}`;
  return { kind: "needless", takesValue: needless.takesValue, warning };
}

/** A value as the option here calls it. */
export function oursOf(name: string, text: string): string {
  const values = Object.hasOwn(VALUES, name) ? VALUES[name]! : {};
  return Object.hasOwn(values, text) ? values[text]! : text;
}

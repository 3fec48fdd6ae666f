// Recipes: all settings of a way to train, under one name. A recipe is a row of a table; its values stand in for the
// defaults of options, and whatever was said goes first. It knows no model and trains nothing.
// 2022: xloem/codefudge:example_run_summarization.bash, hist2json.py, extend_tokenizer.py.

import { totalmem } from "node:os";
import { UserError } from "../../base/errors.ts";
import type { OptionTable } from "../../base/options.ts";
import { showValue } from "../../base/show.ts";
import { openWeights } from "../../weights/open.ts";

type Given = Readonly<Record<string, unknown>>;

/** What a machine of this much memory or more takes; the smallest also stands for less. */
type Size = { readonly memory: number; readonly always: Given; readonly beginning: Given };

export type Recipe = {
  readonly summary: string;
  /** The architecture that it is for, by its `model_type`, and the model that it was made with. */
  readonly base: { readonly model_type: string; readonly name: string };
  /** Options of every run of it. */
  readonly always: Given;
  /** Options of a run that continues no other, whose these are then. */
  readonly beginning: Given;
  /** Peak learning rates for one example a step: they are multiplied by how many a step has. */
  readonly rates: { readonly beginning: number; readonly continuing: number };
  /** By memory, the smallest first. */
  readonly sizes: readonly Size[];
};

/** Sizes that 2022 noted for graphics memory. Its input was cut to 320 characters for 2 GB, about 128 tokens of code,
 * and else to the 1,024 tokens that its script had as default. Its 2 GB are of before it trained embeddings; there the
 * head alone learns to write the new tokens, which with the embedding would take a base of 250 million 2.2 GB. */
const SIZES_OF_2022: readonly Size[] = [
  {
    memory: 2e9,
    always: { max_in_len: 128, max_out_len: 80 },
    beginning: { modules_to_save: ["lm_head"] },
  },
  { memory: 8e9, always: { max_in_len: 1024, max_out_len: 1152 }, beginning: {} },
  { memory: 16e9, always: { max_in_len: 1024, max_out_len: 2048 }, beginning: {} },
];

/** The recipes by name. */
export const recipes: Readonly<Record<string, Recipe>> = {
  "2022": {
    summary: "what the scripts of 2022 did",
    base: { model_type: "longt5", name: "google/long-t5-tglobal-base" },
    always: {
      optim: "adafactor",
      lr_scheduler_type: "cosine",
      // 480 of the 51,712 steps that it had.
      warmup_steps: 0.01,
      gradient_accumulation_steps: 3,
      num_train_epochs: 3,
      per_device_train_batch_size: 1,
      // Each file of a commit is an example, with the others to read beside it.
      max_files: 1,
    },
    beginning: { format: "diff", adapter: "pfeiffer+inv", extend_tokenizer: 0 },
    rates: { beginning: 1e-4, continuing: 5e-9 },
    sizes: SIZES_OF_2022,
  },
};

export const recipeOptions = {
  recipe: {
    type: "string",
    default: null,
    choices: Object.keys(recipes),
    help: "Set many options at once as a way to train that has a name (below); what is given beside it goes first",
    unset: "none",
    value: "NAME",
  },
} as const satisfies OptionTable;

/** Options that a recipe leaves alone where one of these was given, which says the same in another way. */
const OTHER_WAYS: Readonly<Record<string, readonly string[]>> = {
  num_train_epochs: ["max_steps", "time"],
  max_in_len: ["max_length"],
  max_out_len: ["max_length"],
};

/** What the recipe that was named puts in place of defaults; nothing without one. `said` is what was given. */
export function recipeValues(said: Given): Given {
  const recipe = typeof said.recipe === "string" ? recipes[said.recipe] : undefined;
  if (recipe === undefined) return {};
  const continues = typeof said.continue_from === "string";
  const memory = typeof said.memory === "number" ? said.memory : totalmem();
  const size = sizeFor(recipe, memory);
  const always = { ...recipe.always, ...size.always };
  const values = continues ? always : { ...always, ...recipe.beginning, ...size.beginning };
  const { gradient_accumulation_steps: steps, per_device_train_batch_size: batch } = { ...values, ...said };
  const rate = continues ? recipe.rates.continuing : recipe.rates.beginning;
  const all = { ...values, learning_rate: rate * Number(steps) * Number(batch) };
  const isOpen = ([name]: [string, unknown]) => !(OTHER_WAYS[name] ?? []).some((way) => way in said);
  return Object.fromEntries(Object.entries(all).filter(isOpen));
}

function sizeFor({ sizes }: Recipe, memory: number): Size {
  return sizes.findLast((size) => size.memory <= memory) ?? sizes[0]!;
}

/** Throws for a base that a recipe is not for: a path, or `null` for none, which is `found` in words. */
export function requireBaseOf(name: string, model: string | null, found: string): void {
  const { base } = recipes[name]!;
  const refusal = (what: string) =>
    new UserError(
      `Expected a ${base.model_type} as base for --recipe ${name}, found ${what}; give --model ${base.name}, which it was made with, or another ${base.model_type}`,
    );
  if (model === null) throw refusal(found);
  const check = ({ model_type }: Given) => {
    if (model_type !== base.model_type) throw refusal(`model_type ${showValue(model_type)} in ${model}`);
  };
  const source = openWeights(model, check);
  source.dispose();
  check(source.config);
}

/** Sections of a help text, one for each recipe. */
export function recipeNotes(): { readonly title: string; readonly lines: readonly string[] }[] {
  return Object.entries(recipes).map(([name, recipe]) => ({
    title: `Recipe ${name}: ${recipe.summary}`,
    lines: describeRecipe(recipe),
  }));
}

function describeRecipe({ base, always, beginning, rates, sizes }: Recipe): string[] {
  const rate = (value: number) => [`--learning_rate ${value.toExponential()} for each example of a step`];
  const rows: (readonly [string, readonly string[]])[] = [
    ["base", [`a ${base.model_type}, such as ${base.name}`]],
    ["always", flags(always)],
    ["to begin", [...flags(beginning), ...rate(rates.beginning)]],
    ["to continue", rate(rates.continuing)],
    ...sizes.map(
      (size) => [`${size.memory / 1e9} GB`, flags({ ...size.always, ...size.beginning })] as const,
    ),
  ];
  const last =
    "The sizes go by --memory, without it by the machine's memory; what is less takes the smallest";
  return [...rows.flatMap(([title, parts]) => underTitle(title, parts)), last];
}

function flags(values: Given): string[] {
  return Object.entries(values).map(([option, value]) => `--${option} ${value}`);
}

const TITLE = 13;
const WIDTH = 96;

/** Parts beside a title, in as many lines as they need. */
function underTitle(title: string, parts: readonly string[]): string[] {
  const lines = [title.padEnd(TITLE)];
  for (const part of parts) {
    if (lines.at(-1)!.length + part.length > WIDTH) lines.push("".padEnd(TITLE));
    lines.push(`${lines.pop()}${part} `);
  }
  return lines.map((line) => line.trimEnd());
}

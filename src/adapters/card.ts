// The model card (README.md) of a trained adapter: what it belongs to, what it was trained on, what was measured, and
// how other programs load it. Metadata keys: https://huggingface.co/docs/hub/model-cards.

import type { AdapterConfig } from "./adapter.ts";

export type CardFacts = {
  readonly config: AdapterConfig;
  /** As AdapterHub's users call it. */
  readonly name: string;
  readonly base: {
    /** As it was given: a path or a name on the hub. */
    readonly name: string;
    readonly model_type: string;
    readonly sha256: string;
    readonly revision?: string;
  };
  /** The repository's history that was trained on: hashes of the first and the last commit, and how many. */
  readonly data: {
    readonly repository?: string;
    readonly commits?: { readonly first: string; readonly last: string; readonly count: number };
    /** Those that a step has seen, and all of its dataset that fit. */
    readonly examples: { readonly seen: number; readonly all: number };
    readonly sha256: string;
  };
  /** Training options worth repeating, and what was measured, by name. */
  readonly training: Readonly<Record<string, string | number>>;
  readonly metrics: Readonly<Record<string, string | number>>;
  readonly version: string;
};

/** The text of the card. */
export function modelCard(facts: CardFacts): string {
  const { base, data, config } = facts;
  const { commits } = data;
  const about: [string, string | number | undefined][] = [
    ["Base", base.name],
    ["Revision of the base", base.revision],
    ["sha256 of the base's weights", base.sha256],
    ["Repository", data.repository],
    ["Commits", commits && `${commits.count}, from ${commits.first} to ${commits.last}`],
    [
      "Examples",
      data.examples.seen === data.examples.all
        ? data.examples.all
        : `${data.examples.seen} seen of ${data.examples.all}`,
    ],
    ["sha256 of the dataset", data.sha256],
  ];
  return [
    frontMatter(facts),
    `# ${isPath(base.name) ? base.model_type : base.name} with ${kindName(config)}`,
    "",
    `Trained by CodeFudge ${facts.version} on the history of a repository, to write changes to its code.`,
    "",
    ...table("", about),
    "## Training",
    "",
    ...table("option", [...Object.entries(optionsOf(config)), ...Object.entries(facts.training)]),
    "## Measured",
    "",
    ...table("measure", Object.entries(facts.metrics)),
    "## Use",
    "",
    ...usage(facts),
    "",
  ].join("\n");
}

/** A path says nothing on another machine, and the hub takes only names of its own. */
function isPath(name: string): boolean {
  return !/^[\w-][\w.-]*\/[\w.-]+$/.test(name);
}

function frontMatter({ base, config }: CardFacts): string {
  const library = config.kind === "lora" ? "peft" : "adapters";
  return [
    "---",
    ...(isPath(base.name) ? [] : [`base_model: ${base.name}`]),
    `library_name: ${library}`,
    "pipeline_tag: text-generation",
    "tags:",
    ...["adapter", config.kind === "lora" ? "lora" : "adapterhub:code", base.model_type].map(
      (tag) => `- ${tag}`,
    ),
    "---",
    "",
  ].join("\n");
}

/** In words that people know. */
export function kindName(config: AdapterConfig): string {
  if (config.kind === "lora") return config.use_dora ? "DoRA" : config.use_rslora ? "rsLoRA" : "LoRA";
  const places = config.mh_adapter ? "double_seq_bn" : config.is_parallel ? "par_bn" : "seq_bn";
  return config.inv_adapter === null ? places : `${places}+inv`;
}

function optionsOf(config: AdapterConfig): Readonly<Record<string, string | number>> {
  if (config.kind === "lora") {
    const { r, lora_alpha, target_modules } = config;
    return { r, lora_alpha, target_modules: target_modules.join(", ") };
  }
  const { reduction_factor, non_linearity } = config;
  return { reduction_factor: JSON.stringify(reduction_factor), non_linearity };
}

function table(title: string, rows: readonly (readonly [string, string | number | undefined])[]): string[] {
  const known = rows.filter(([, value]) => value !== undefined);
  if (known.length === 0) return ["Nothing.", ""];
  const cell = (value: string | number) => String(value).replaceAll("|", "\\|").replaceAll("\n", " ");
  return [
    `| ${title} | |`,
    "|---|---|",
    ...known.map(([name, value]) => `| ${cell(name)} | ${cell(value!)} |`),
    "",
  ];
}

function usage({ config, name }: CardFacts): string[] {
  const code =
    config.kind === "lora"
      ? ["from peft import PeftModel", "", 'model = PeftModel.from_pretrained(base, "this folder")']
      : [
          "import adapters",
          "",
          "adapters.init(base)",
          `base.load_adapter("this folder", load_as="${name}", set_active=True)`,
        ];
  return ["```python", ...code, "```"];
}

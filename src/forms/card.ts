// The dataset card: README.md with the YAML header that Hugging Face `datasets` and its Hub read (huggingface.co/docs,
// "Dataset Cards", "Manual configuration"). Everything in it comes from a manifest.

import { basename } from "node:path";
import type { Split } from "../dataset/example.ts";
import { type DatasetManifest, splits } from "../dataset/store.ts";
import { columnNames, columns } from "./columns.ts";
import type { Form } from "./form.ts";
import type { FormManifest } from "./manifest.ts";

type Card = {
  readonly created: Readonly<Record<string, unknown>>;
  readonly examples: Readonly<Record<Split, number>>;
  readonly dataFile: ((split: Split) => string) | null;
  /** Whether the files are JSON lines with the columns of an example. */
  readonly columns: boolean;
  readonly files: string;
  /** Counters in words: what, and how many. */
  readonly counters: readonly (readonly [string, number])[];
};

/** The card of a dataset folder. */
export function datasetCard({ created, examples, counters }: DatasetManifest): string {
  const { examples: _, ...rest } = counters;
  return printCard({
    created,
    examples,
    dataFile: (split) => `${split}.jsonl`,
    columns: true,
    files: "one JSON object a line: one file of one commit, oldest first",
    counters: Object.entries(rest).filter(([, count]) => count > 0),
  });
}

/** The card of a dataset in another form. */
export function formCard(form: Form, { source, examples, dropped, format }: FormManifest): string {
  return printCard({
    created: source.created,
    examples,
    dataFile: form.dataFile,
    columns: false,
    files: `${form.summary}${format === null ? "" : ` (\`${format}\`)`}`,
    counters: Object.entries(dropped).map(([reason, count]) => [`not in this form: ${reason}`, count]),
  });
}

function printCard(card: Card): string {
  return [...header(card), "", ...body(card), ""].join("\n");
}

const SIZES = [
  [1e3, "n<1K"],
  [1e4, "1K<n<10K"],
  [1e5, "10K<n<100K"],
  [1e6, "100K<n<1M"],
] as const;

function header(card: Card): string[] {
  const total = splits.reduce((sum, split) => sum + card.examples[split], 0);
  const size = SIZES.find(([most]) => total < most)?.[1] ?? "1M<n<10M";
  return [
    "---",
    `pretty_name: ${JSON.stringify(`Changes of ${nameOf(card)}`)}`,
    `license: ${licenceOf(card)?.toLowerCase() ?? "unknown"}`,
    "task_categories:",
    "- text-generation",
    "tags:",
    "- code",
    "- git",
    "size_categories:",
    `- ${size}`,
    ...configs(card),
    ...(card.columns ? features() : []),
    "---",
  ];
}

/** Without it a reader would have to guess which file is which split. One without examples is not named: `datasets`
 * refuses the whole for it. */
function configs({ dataFile, examples }: Card): string[] {
  const filled = splits.filter((split) => examples[split] > 0);
  if (dataFile === null || filled.length === 0) return [];
  const files = filled.flatMap((split) => [`  - split: ${split}`, `    path: ${dataFile(split)}`]);
  return ["configs:", "- config_name: default", "  data_files:", ...files];
}

/** A column that happens to hold nothing but nulls at its beginning has no type that could be guessed. */
function features(): string[] {
  const rows = columnNames.flatMap((name) => [`  - name: ${name}`, `    dtype: ${columns[name].json}`]);
  return ["dataset_info:", "  features:", ...rows];
}

/** The repository's own name; where it lay on someone's disk is nobody's business. */
function nameOf({ created }: Card): string {
  const { repository } = created;
  const name = typeof repository === "string" ? basename(repository) : "";
  return name === "" ? "a git repository" : name;
}

/** An SPDX id, where the manifest has one. */
function licenceOf({ created }: Card): string | undefined {
  const id = created["licence"] ?? created["license"];
  return typeof id === "string" && /^[\w.+-]+$/.test(id) ? id : undefined;
}

function body(card: Card): string[] {
  const licence = licenceOf(card);
  const head = card.created["head"];
  return [
    `# Changes of ${plain(nameOf(card))}`,
    "",
    "Made by codefudge from the history of a git repository: what was asked for (the commit's message), a file as it was,",
    "and the diff that followed. Every diff was applied to its file and compared with what git has before it was kept.",
    "",
    `Files: ${card.files}.`,
    ...(typeof head === "string" ? ["", `Newest commit: \`${plain(head)}\`.`] : []),
    "",
    "## Splits",
    "",
    "By time: the oldest commits train, the newest test. All files of a commit stand on one side.",
    "",
    "| split | examples |",
    "|---|---:|",
    ...splits.map((split) => `| ${split} | ${card.examples[split]} |`),
    ...counters(card),
    "",
    "## Licence",
    "",
    licence === undefined
      ? "The files and diffs are under the licences of the repository that they come from; look there before passing them on."
      : `The files and diffs are under the licence of the repository that they come from: ${licence}.`,
    "",
    "## Limits",
    "",
    "- It holds authors' names and whatever people wrote into messages and files.",
    "- A message does not always say what a change does, and some changes are mistakes.",
    "- What stands in `test` must not be trained on by whoever means to measure with it.",
    "- One repository has one manner of writing; what is learned from it may not hold elsewhere.",
  ];
}

function counters({ counters: rows }: Card): string[] {
  if (rows.length === 0) return [];
  const lines = rows.map(([name, count]) => `| ${plain(name)} | ${count} |`);
  return ["", "## Counters", "", "| what | how many |", "|---|---:|", ...lines];
}

/** Text from a repository or a manifest, without what Markdown or a table would take for its own. */
function plain(text: string): string {
  return text.replace(/[^\w .,:+/()-]/g, "_");
}

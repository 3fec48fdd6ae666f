// codefudge tokenizer: what a text becomes in one or several tokenizers and what is lost, a tokenizer of one's own, and
// a base whose tokenizer is extended by what it cannot write.

import { existsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { UsageError } from "../../base/errors.ts";
import { writeFileAtomic } from "../../base/files.ts";
import { type Inspection, inspect, type Surplus, visible } from "../../tokenizer/inspect.ts";
import type { Tokenizer } from "../../tokenizer/tokenizer.ts";
import { type Context, defineCommand } from "../command.ts";
import { locateModel } from "../model.ts";
import { decodeSource, readSource } from "../source.ts";
import { extendBase } from "../steps/extension.ts";
import {
  openTokenizerOf,
  readTexts,
  shortName,
  type TrainingWish,
  trainTokenizer,
} from "../steps/tokenizer.ts";
import { formatPairs, formatTable } from "../table.ts";
import { formatBytes, formatCount } from "../units.ts";

const MOST_TOKENS = 200;
const MOST_CHARACTERS = 12;
const MOST_SHOWN = 24;

const options = {
  model: {
    type: "strings",
    default: [],
    help: "Tokenizer to inspect with: a model as for train, a tokenizer.json, a SentencePiece model; may be repeated",
    value: "MODEL",
    unset: "none",
  },
  model_type: {
    type: "string",
    default: "bpe",
    choices: ["bpe", "unigram"],
    help: "Kind of tokenizer to train: byte-level BPE, or Unigram with bytes for what is rare",
    value: "KIND",
  },
  vocab_size: { type: "integer", default: 8192, least: 258, help: "Tokens to train, at most", value: "N" },
  words: {
    type: "integer",
    default: 256,
    least: 0,
    help: "To extend: words and runs of white space that become tokens, at most",
    value: "N",
  },
  output: {
    type: "string",
    default: null,
    short: "o",
    help: "To train, the file to write, with tokenizer_config.json beside it; to extend, a new or empty folder",
    unset: "tokenizer.json, to train",
    value: "PATH",
  },
} as const;

const ARGS = [
  { name: "action", help: "inspect, train or extend", required: true },
  {
    name: "what",
    help: "inspect: a file, a text, or - for stdin; train, extend: a repository or files",
    required: false,
    variadic: true,
  },
] as const;

type TokenizerContext = Context<typeof options, typeof ARGS>;

export const command = defineCommand({
  name: "tokenizer",
  summary: "Shows what a text becomes in a tokenizer and what is lost, trains one, or extends that of a base",
  args: ARGS,
  options,
  examples: [
    ["tokenizer extend . --model t5-base -o t5-code", "A base that can write line breaks, tabs and braces"],
    [
      'tokenizer inspect "if (a) {" --model SmolLM2-135M',
      "Each token with its id, and whether the text comes back",
    ],
    ["tokenizer inspect src/main.c --model t5-base --model gpt2", "Tokens per line against one another"],
    [
      "tokenizer train . --model_type unigram --vocab_size 8000 -o own/tokenizer.json",
      "One of this repository's own",
    ],
  ],
  async run(context) {
    const { action } = context.args;
    if (action === "inspect") return inspectAction(context);
    if (action === "train") return trainAction(context);
    if (action === "extend") return extendAction(context);
    throw new UsageError(
      `Expected \`tokenizer inspect\`, \`tokenizer train\` or \`tokenizer extend\`, found \`tokenizer ${action}\`; run \`codefudge tokenizer --help\``,
    );
  },
});

type Named = { readonly name: string; readonly tokenizer: Tokenizer; readonly inspection: Inspection };

async function inspectAction(context: TokenizerContext): Promise<number> {
  const { options, out } = context;
  if (options.model.length === 0) {
    throw new UsageError("Expected a tokenizer, found none; say which with --model MODEL, once for each");
  }
  const text = await textToInspect(context);
  const all: Named[] = [];
  for (const name of options.model) {
    const tokenizer = await openTokenizerOf(name, context);
    all.push({ name, tokenizer, inspection: await inspect(tokenizer, text) });
  }
  if (options.json) for (const { name, inspection } of all) out.json({ model: name, ...inspection });
  else for (const line of describe(all)) out.line(line);
  return 0;
}

/** The words themselves, unless they name a file. */
async function textToInspect({ args, cwd, input }: TokenizerContext): Promise<string> {
  const [first, ...more] = args.what ?? [];
  if (first === undefined) throw new UsageError("Expected a file or a text to inspect, found none; name one");
  if (first === "-" && more.length === 0) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of input) chunks.push(chunk);
    return decodeSource(Buffer.concat(chunks), "stdin");
  }
  const path = resolve(cwd, first);
  const stat = more.length === 0 ? statSync(path, { throwIfNoEntry: false }) : undefined;
  return stat?.isFile() === true ? readSource(path, stat.size) : [first, ...more].join(" ");
}

const COLUMNS = [
  { title: "tokenizer" },
  { title: "vocabulary", align: "right" },
  { title: "tokens", align: "right" },
  { title: "a line", align: "right" },
  { title: "bytes a token", align: "right" },
  { title: "comes back" },
] as const;

function describe(all: readonly Named[]): string[] {
  return [
    ...all.flatMap(({ name, inspection }) => [
      ...(all.length > 1 ? [shortName(name)] : []),
      ...tokenLines(inspection),
      ...lossLines(inspection),
      "",
    ]),
    ...formatTable(COLUMNS, all.map(row)),
  ];
}

function tokenLines({ tokens }: Inspection): string[] {
  const rows = tokens
    .slice(0, MOST_TOKENS)
    .map(({ id, token, shown }) => [String(id), shown, visible(token) === shown ? "" : visible(token)]);
  const more = tokens.length - rows.length;
  const columns = [{ title: "id", align: "right" }, { title: "token" }, { title: "spelled" }] as const;
  return [...formatTable(columns, rows), ...(more > 0 ? [`… and ${formatCount(more)} more`] : [])];
}

function lossLines({ loss }: Inspection): string[] {
  if (loss.whole) return [];
  const rows = [
    ["lost", surplusWords(loss.missing)],
    ["put in", surplusWords(loss.extra)],
    ...(loss.first === null
      ? []
      : [
          [`line ${loss.first.line}`, visible(loss.first.was.slice(0, 200))],
          ["becomes", visible(loss.first.is.slice(0, 200))],
        ]),
  ] as [string, string][];
  return ["", ...formatPairs(rows)];
}

function surplusWords(surplus: Surplus): string {
  if (surplus.length === 0) return "nothing";
  const shown = surplus
    .slice(0, MOST_CHARACTERS)
    .map(([character, count]) => `${visible(character)} ${count}×`);
  const more = surplus.length - shown.length;
  return `${shown.join(", ")}${more > 0 ? ` and ${more} other characters` : ""}`;
}

function row({ name, tokenizer, inspection: { tokens, lines, bytes, loss } }: Named): string[] {
  const lost = loss.missing.reduce((sum, [, count]) => sum + count, 0);
  return [
    shortName(name),
    formatCount(tokenizer.vocabSize),
    formatCount(tokens.length),
    lines === 0 ? "" : (tokens.length / lines).toFixed(1),
    tokens.length === 0 ? "" : (bytes / tokens.length).toFixed(2),
    loss.whole ? "whole" : `without ${formatCount(lost)} characters`,
  ];
}

async function trainAction(context: TokenizerContext): Promise<number> {
  const { options, out, cwd } = context;
  const path = resolve(cwd, options.output ?? "tokenizer.json");
  const config = join(dirname(path), "tokenizer_config.json");
  if (existsSync(path) || existsSync(config)) {
    throw new UsageError(
      `Expected a new file for --output, found ${existsSync(path) ? path : config} there already; give another`,
    );
  }
  const texts = await gather(context);
  const tokenizer = trainTokenizer(texts, options as TrainingWish);
  const files = tokenizer.files();
  writeFileAtomic(config, files["tokenizer_config.json"]!);
  writeFileAtomic(path, files["tokenizer.json"]!);
  const result = { output: path, model_type: options.model_type, vocab_size: tokenizer.vocabSize };
  if (options.json) out.json({ ...result, files: texts.length });
  else
    for (const line of formatPairs(Object.entries(result).map(([key, value]) => [key, String(value)])))
      out.line(line);
  return 0;
}

/** The texts to learn from, in memory. */
async function gather(context: TokenizerContext): Promise<string[]> {
  const texts: string[] = [];
  for await (const text of readTexts(context.args.what ?? [], context)) texts.push(text);
  const bytes = texts.reduce((sum, text) => sum + text.length, 0);
  context.progress.line(`Learning from ${formatCount(texts.length)} files, ${formatBytes(bytes)}`);
  return texts;
}

async function extendAction(context: TokenizerContext): Promise<number> {
  const { options, out, cwd } = context;
  const [name, ...more] = options.model;
  if (name === undefined || more.length > 0 || options.output === null) {
    throw new UsageError("Expected one --model to extend and a folder to write with --output, found others");
  }
  const path = await locateModel(name, context);
  const texts = await gather(context);
  const extended = await extendBase(path, texts, {
    output: resolve(cwd, options.output),
    words: options.words,
    whole: "refuse",
  });
  const { extension, modules, output, vocab_size } = extended;
  const { wholeBefore: before, wholeAfter: after } = extension;
  if (options.json) {
    out.json({
      output,
      vocab_size,
      modules,
      files: texts.length,
      whole_before: before,
      added: extension.added,
    });
    return 0;
  }
  const shown = extension.added.filter(({ count }) => count > 0).slice(0, MOST_SHOWN);
  const rows: [string, string][] = [
    ["output", output],
    [
      "came back",
      `${formatCount(before)} of ${formatCount(texts.length)} files before, ${formatCount(after)} now`,
    ],
    ["new tokens", formatCount(extension.added.length)],
    ["among them", shown.map(({ token }) => visible(token)).join("  ")],
    ["train with", `--model ${output} --modules_to_save ${modules.join(",")}`],
  ];
  for (const line of formatPairs(rows)) out.line(line);
  return 0;
}

// A dry run: what would be trained, how long that takes and what memory, found by a few real steps whose result is
// thrown away, and three examples as the model would see them with what it is to learn marked.

import type { Tokenizer } from "../../tokenizer/tokenizer.ts";
import type { Network } from "../../training/network.ts";
import type { Resolved } from "../../training/options.ts";
import type { Plan } from "../../training/plan.ts";
import { type Rehearsed, rehearse } from "../../training/rehearsal.ts";
import { formatPairs } from "../table.ts";
import { formatBytes, formatCount, formatDuration } from "../units.ts";
import type { Face } from "./face.ts";
import type { Material } from "./material.ts";
import type { RenderedItem } from "./render.ts";

type Dry = {
  readonly engine: Network;
  readonly material: Material;
  readonly options: Resolved;
  readonly plan: Plan;
  readonly tokenizer: Tokenizer;
  /** When work on it began, by `performance.now()`. */
  readonly since: number;
};

/** Examples that are shown. */
const SHOWN = 3;
/** Lines of a prompt that are shown at its beginning and at its end. */
const LINES = 8;

/** Estimates and prints; writes nothing. */
export async function dryRun(dry: Dry, face: Face): Promise<void> {
  const { engine, material, options, plan, tokenizer } = dry;
  const prepared = (performance.now() - dry.since) / 1000;
  face.progress.line("Trying a few steps, whose result is thrown away");
  const sequences = (items: readonly RenderedItem[]) => items.map(({ rendered }) => rendered);
  const found = await rehearse({
    engine,
    sequences: sequences(material.train),
    validation: sequences(material.validation),
    options,
    batch: plan.batch,
    signal: face.signal,
    prepared,
  });
  // The longest sequence has been through by now.
  const memory = process.resourceUsage().maxRSS * 1024;
  const picked = pickEvenly(material.train, SHOWN);
  if (face.json) {
    const { max_length, batch } = plan;
    const examples = picked.map(({ name, rendered }) => ({
      name,
      prompt: rendered.promptLength,
      trained: rendered.ids.length - rendered.promptLength,
      weight: rendered.weight,
    }));
    face.out.json({
      type: "dry_run",
      ...found,
      memory,
      predicted_memory: plan.memory,
      max_length,
      batch,
      examples,
    });
    return;
  }
  for (const line of formatPairs(describeEstimate(found, { memory, material, plan }))) face.out.line(line);
  for (const item of picked) for (const line of await showItem(item, tokenizer)) face.out.line(line);
}

type About = { readonly memory: number; readonly material: Material; readonly plan: Plan };

function describeEstimate(found: Rehearsed, { memory, material, plan }: About): [string, string][] {
  const { steps, seconds, tokens, tokens_per_second, validations, held_out } = found;
  return [
    [
      "examples",
      `${formatCount(material.train.length)}, ${formatCount(material.tooLong)} too long for ${formatCount(plan.max_length)} tokens`,
    ],
    ["steps", formatCount(steps)],
    ["tokens", `${formatCount(tokens)}, ${formatCount(tokens_per_second)} a second`],
    ["time", formatDuration(seconds)],
    ["memory", formatBytes(memory)],
    ["held-out loss", `${formatCount(validations)} times, on ${formatCount(held_out)} examples`],
  ];
}

/** The example with `|` before what is only read and `>` before what is trained. */
async function showItem({ name, rendered }: RenderedItem, tokenizer: Tokenizer): Promise<string[]> {
  const { ids, promptLength, weight } = rendered;
  const text = (from: number, to: number) => tokenizer.decode([...ids.subarray(from, to)]);
  const prompt = (await text(0, promptLength)).split("\n");
  const answer = (await text(promptLength, ids.length)).split("\n");
  const left = prompt.length - 2 * LINES;
  const shown =
    left > 1
      ? [...prompt.slice(0, LINES), `(${formatCount(left)} more lines)`, ...prompt.slice(-LINES)]
      : prompt;
  const counts = `${formatCount(promptLength)} tokens are read, ${formatCount(ids.length - promptLength)} are trained`;
  return [
    "",
    `${name}: ${counts}${weight === 1 ? "" : `, weight ${weight.toFixed(2)}`}`,
    ...shown.map((line) => `  | ${line}`),
    ...answer.map((line) => `  > ${line}`),
    "  > (end)",
  ];
}

function pickEvenly<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.floor(((i + 0.5) * items.length) / count)]!);
}

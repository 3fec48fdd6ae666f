// The explain step: what became of a commit in a dataset, in lines.

import { showText } from "../../base/show.ts";
import { type ExplainedRecord, type Explanation, explain, type Fate } from "../../history/explain.ts";
import { quotePath } from "../../patch/path.ts";
import { formatPairs } from "../table.ts";
import type { Face } from "./face.ts";

/** Prints what became of `target`, COMMIT or COMMIT:PATH. */
export async function explainStep(
  paths: { readonly repository: string; readonly folder: string },
  target: string,
  { out, json, signal }: Face,
): Promise<void> {
  const explanation = await explain(paths, target, signal);
  if (json) out.json(explanation);
  else for (const line of describeExplanation(explanation)) out.line(line);
}

function describeExplanation({ commit, message, time, note, records }: Explanation): string[] {
  const day = new Date(time * 1000).toISOString().slice(0, 10);
  const subject = showText(message.split("\n", 1)[0]!, LONGEST);
  const rows = records.map((record) => [nameOf(record), describeFate(record.fate)] as const);
  return [
    `${commit} of ${day}`,
    ...(subject === "" ? [] : [subject]),
    ...(note ? [note] : []),
    ...formatPairs(rows),
  ];
}

// Names and subjects are a stranger's: none of them moves a terminal's cursor.
const LONGEST = 200;

function nameOf({ path, newPath }: ExplainedRecord): string {
  const show = (one: string) => showText(quotePath(one), LONGEST);
  return newPath === undefined ? show(path) : `${show(path)} > ${show(newPath)}`;
}

function describeFate(fate: Fate): string {
  if (fate === null) return "not in this dataset: it was made before; run codefudge history again";
  if ("split" in fate) return `example: ${fate.split}.jsonl, line ${fate.line}`;
  return `left out: ${fate.reason}${fate.detail === undefined ? "" : ` (${showText(fate.detail, LONGEST)})`}`;
}

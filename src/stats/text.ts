// A summary as tables of text: titles, columns and cells, already in words. How wide a terminal is and how a table is
// drawn there is the caller's business.

import { showText } from "../base/show.ts";
import type { Summary } from "./summary.ts";
import {
  count,
  counterRows,
  LEAK_NOTE,
  languageRows,
  leakRows,
  leakTitles,
  movedRows,
  movedTitles,
  sizeNote,
  splitRows,
  splitTitles,
} from "./words.ts";

export type TextTable = {
  readonly title: string;
  readonly columns: readonly { readonly title: string; readonly align: "left" | "right" }[];
  readonly rows: readonly (readonly string[])[];
};

const LANGUAGES = 10;
const BAR = 30;

export function textTables(summary: Summary): readonly TextTable[] {
  return [
    { title: "Records", columns: columnsOf("what", "how many"), rows: counterRows(summary) },
    {
      title: "Splits, by time",
      columns: columnsOf(...splitTitles.map(rightButFirst)),
      rows: splitRows(summary),
    },
    ...movedTable(summary),
    {
      title: `Test answers that stand in train. ${LEAK_NOTE}`,
      columns: columnsOf(...leakTitles.map(rightButFirst)),
      rows: leakRows(summary),
    },
    {
      title: "Languages, by file name",
      columns: columnsOf("language", ">examples", ">share"),
      rows: languageRows(summary, LANGUAGES),
    },
    { title: sizeNote(summary), columns: columnsOf("size", ">examples", ""), rows: sizeRows(summary) },
    {
      title: "Examples over time: t train, v validation, e test",
      columns: columnsOf("from", ">examples", ""),
      rows: timeRows(summary),
    },
    {
      title: "Drawn examples, whole in the page",
      columns: columnsOf("split", "commit", "files"),
      rows: summary.samples.map(({ split, commit, paths }) => [
        split,
        showText(commit.slice(0, 12)),
        paths.map((path) => showText(path)).join(", "),
      ]),
    },
  ];
}

function movedTable(summary: Summary): TextTable[] {
  const rows = movedRows(summary);
  if (rows.length === 0) return [];
  return [
    { title: "Set aside from the newer sides", columns: columnsOf(...movedTitles.map(rightButFirst)), rows },
  ];
}

/** A title with ">" in front of it stands over numbers. */
function columnsOf(...titles: readonly string[]): TextTable["columns"] {
  return titles.map((title) =>
    title.startsWith(">") ? { title: title.slice(1), align: "right" } : { title, align: "left" },
  );
}

function rightButFirst(title: string, index: number): string {
  return index === 0 ? title : `>${title}`;
}

function sizeRows({ sizes: { bins } }: Summary): string[][] {
  const most = Math.max(1, ...bins.map((bin) => bin.count));
  return bins.map(({ from, count: size }) => [
    `${count(from)} and more`,
    count(size),
    "#".repeat(Math.ceil((BAR * size) / most)),
  ]);
}

/** Fewer spans than the page has, so that a terminal holds them. */
const SPANS = 12;

function timeRows({ timeline: { spans, dated } }: Summary): string[][] {
  const step = Math.ceil(spans.length / SPANS);
  const groups = Array.from({ length: Math.ceil(spans.length / Math.max(1, step)) }, (_, i) =>
    spans.slice(i * step, (i + 1) * step),
  );
  const sums = groups.map((group) => {
    const sum = (split: "train" | "validation" | "test") =>
      group.reduce((total, { counts }) => total + counts[split], 0);
    return { from: group[0]!.from, t: sum("train"), v: sum("validation"), e: sum("test") };
  });
  const most = Math.max(1, ...sums.map(({ t, v, e }) => t + v + e));
  const bar = (letter: string, value: number) => letter.repeat(Math.ceil((BAR * value) / most));
  return sums.map(({ from, t, v, e }) => [
    dated ? new Date(1000 * from).toISOString().slice(0, 7) : String(Math.floor(from) + 1),
    count(t + v + e),
    bar("t", t) + bar("v", v) + bar("e", e),
  ]);
}

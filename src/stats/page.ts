// A summary as one page of HTML: no script, nothing fetched, readable without styles. Everything that comes from the
// repository goes through `escapeHtml`; the policy in the head forbids whatever might slip through all the same.

import { splits } from "../dataset/store.ts";
import { sizeChart, timeChart } from "./charts.ts";
import { escapeHtml } from "./escape.ts";
import type { Sample } from "./samples.ts";
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
  nameOf,
  sizeNote,
  splitRows,
  splitTitles,
} from "./words.ts";

const STYLE = `
:root { color-scheme: light dark; --train: #3b6ea8; --validation: #c98a1b; --test: #a8324a; --size: #4c8a67; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 760px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: right; padding: .2rem .6rem; border-bottom: 1px solid #8884; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
svg { width: 100%; height: auto; } svg text { font-size: 11px; fill: currentColor; }
svg line { stroke: currentColor; stroke-dasharray: 3 3; }
.train { fill: var(--train); } .validation { fill: var(--validation); } .test { fill: var(--test); } .size { fill: var(--size); }
.key span { padding: 0 .5rem; color: #fff; border-radius: 3px; margin-right: .5rem; }
.key .train { background: var(--train); } .key .validation { background: var(--validation); } .key .test { background: var(--test); }
pre { overflow: auto; max-height: 24rem; padding: .6rem; background: #8881; font-size: .8rem; line-height: 1.35; tab-size: 4; unicode-bidi: isolate; }
i { font-style: normal; background: #d332; outline: 1px solid #d338; font-size: .75em; }
summary { cursor: pointer; overflow-wrap: anywhere; }`;

const POLICY = "default-src 'none'; style-src 'unsafe-inline'";
const LANGUAGES = 20;

/** The whole page. */
export function statsPage(summary: Summary): string {
  const name = escapeHtml(nameOf(summary));
  return [
    "<!doctype html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>Examples of ${name}</title>`,
    `<style>${STYLE}\n</style>`,
    "</head>",
    "<body>",
    `<h1>Examples of ${name}</h1>`,
    ...body(summary),
    "</body>",
    "</html>",
    "",
  ].join("\n");
}

function body(summary: Summary): string[] {
  return [
    "<h2>Records</h2>",
    table(["what", "how many"], counterRows(summary)),
    "<h2>Over time</h2>",
    `<p class="key">${splits.map((split) => `<span class="${split}">${split}</span>`).join("")}</p>`,
    timeChart(summary),
    table(splitTitles, splitRows(summary)),
    `<p>Sizes in ${summary.sizes.unit}.</p>`,
    ...moved(summary),
    "<h2>Test answers that stand in train</h2>",
    `<p>${escapeHtml(LEAK_NOTE)}.</p>`,
    table(leakTitles, leakRows(summary)),
    "<h2>Sizes</h2>",
    `<p>${escapeHtml(sizeNote(summary))}.</p>`,
    sizeChart(summary),
    "<h2>Languages</h2>",
    "<p>By file names, one language for each.</p>",
    table(["language", "examples", "share"], languageRows(summary, LANGUAGES)),
    `<h2>${summary.samples.length} examples, drawn at random, as a model sees them</h2>`,
    ...summary.samples.map(sampleBlock),
  ];
}

function moved(summary: Summary): string[] {
  const rows = movedRows(summary);
  return rows.length === 0 ? [] : ["<h2>Set aside from the newer sides</h2>", table(movedTitles, rows)];
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (kind: "th" | "td", row: readonly string[]) =>
    `<tr>${row.map((cell) => `<${kind}>${escapeHtml(cell)}</${kind}>`).join("")}</tr>`;
  const lines = rows.map((row) => cells("td", row));
  return `<table>\n<thead>${cells("th", titles)}</thead>\n<tbody>\n${lines.join("\n")}\n</tbody>\n</table>`;
}

/** What is shown of a text; a page with ten whole files of a MB would not open. */
const MOST_CHARACTERS = 20_000;

function sampleBlock({ split, commit, paths, prompt, answer }: Sample): string {
  const title = `${split} ${commit.slice(0, 12)} ${paths.join(", ")}`;
  return [
    "<details>",
    `<summary>${escapeHtml(title)}</summary>`,
    `<p>Prompt</p>\n<pre>${shown(prompt)}</pre>`,
    `<p>Answer</p>\n<pre>${shown(answer)}</pre>`,
    "</details>",
  ].join("\n");
}

/** The beginning and the end, where a prompt has its file and its message. A newline first: HTML drops one there. */
function shown(text: string): string {
  if (text.length <= MOST_CHARACTERS) return `\n${escapeHtml(text)}`;
  const half = MOST_CHARACTERS / 2;
  const left = count(text.length - MOST_CHARACTERS);
  return `\n${escapeHtml(text.slice(0, half))}\n<i>${left} characters not shown</i>\n${escapeHtml(text.slice(-half))}`;
}

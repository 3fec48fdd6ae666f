// A small dataset whose every number can be counted by hand, and its two renderings: the tables as text, and a page
// that nothing from a hostile repository can break out of.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { inFolder } from "../../test/folder.ts";
import type { Example, Split } from "../dataset/example.ts";
import { formats } from "../dataset/format.ts";
import { requestOf } from "../dataset/request.ts";
import { createDatasetWriter, type ManifestPart } from "../dataset/store.ts";
import { createPatch } from "../patch/create.ts";
import { printPatch } from "../patch/print.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { statsPage } from "./page.ts";
import { type Summary, type SummaryOptions, summarise } from "./summary.ts";
import { textTables } from "./text.ts";

const DAY = 86400;
const START = 1_700_000_000;

function example(number: number, change: Partial<Example> & { readonly to?: string } = {}): Example {
  const { to = "new\n", ...rest } = change;
  const path = rest.path ?? "a.ts";
  const old = rest.old === undefined ? "old\n" : rest.old;
  const diff = printPatch(createPatch({ path, old, new: to }));
  const known = { message: `Change ${number}`, commit: `${number}`.padStart(40, "c"), parent: null };
  return { ...known, time: START + number * DAY, author: "Ada", weight: 1, path, old, diff, ...rest };
}

const EXAMPLES: readonly (readonly [Split, Example])[] = [
  ["train", example(0)],
  ["train", example(0, { path: "b.md" })],
  ["train", example(1, { path: "Makefile" })],
  ["train", example(2, { path: "dir/c.d.ts", old: "x".repeat(5000) })],
  ["validation", example(3, { path: "no-extension" })],
  ["test", example(4, { path: "b.md" })],
];

/** One token a character: sizes are easy to count. */
const tokenizer: Tokenizer = {
  encode: async (text) => [...text].map((_, i) => i),
  encodeBatch: async (texts) => texts.map((text) => [...text].map((_, i) => i)),
  decode: async () => "",
  vocabSize: 1e6,
  eosId: 0,
  bosId: undefined,
  addBos: false,
  files: () => ({}),
};

const WITHOUT: SummaryOptions = { format: formats.region, model: null, max_files: 4, seed: 1, samples: 3 };
const WITH: SummaryOptions = { ...WITHOUT, model: { name: "tiny", tokenizer, context: 1000 } };

async function summaryOf(
  examples: readonly (readonly [Split, Example])[],
  options: SummaryOptions,
  part: Partial<Pick<ManifestPart, "created" | "division">> = {},
): Promise<Summary> {
  let found: Summary | undefined;
  await inFolder(async (folder) => {
    const writer = createDatasetWriter(join(folder, "data"));
    for (const [split, one] of examples) writer.write(split, one);
    const counters = { commits: 5, merges: 1, records: 9, examples: 6, binary: 3, symlink: 0 };
    const created = { repository: "/home/ada/secret/project", head: "abc" };
    writer.finish({ counters, options: {}, created, ...part });
    const events = summarise(join(folder, "data"), options);
    let next = await events.next();
    while (!next.done) next = await events.next();
    found = next.value;
  });
  return found!;
}

const lengthOf = (one: Example) => formats.region.prompt(requestOf(one)).length + "@1,1\nnew\n".length;

test("counts examples, commits, languages and sizes", async () => {
  const { splits, languages, sizes, timeline } = await summaryOf(EXAMPLES, WITHOUT);
  assert.deepEqual(
    [splits.train, splits.validation, splits.test].map(({ examples, commits }) => [examples, commits]),
    [
      [4, 3],
      [1, 1],
      [1, 1],
    ],
  );
  assert.deepEqual([splits.train.first, splits.train.last], [START, START + 2 * DAY]);
  assert.deepEqual(
    languages.map(({ name, examples }) => `${name} ${examples}`),
    ["Markdown 2", "TypeScript 2", "Makefile 1", "other 1"],
  );
  assert.equal(splits.test.size.median, lengthOf(EXAMPLES[5]![1]));
  assert.ok(splits.train.size.most > 5000);
  assert.deepEqual([sizes.unit, sizes.measured, sizes.over], ["bytes", 6, null]);
  assert.equal(
    sizes.bins.reduce((sum, bin) => sum + bin.count, 0),
    6,
  );
  assert.equal(timeline.dated, true);
  assert.equal(
    timeline.spans.reduce((sum, { counts }) => sum + counts.train, 0),
    4,
  );
  assert.equal(timeline.spans.at(-1)!.counts.test, 1);
});

test("with a model sizes are tokens, held against its context, and examples are shown as it sees them", async () => {
  const { splits, sizes, samples } = await summaryOf(EXAMPLES, { ...WITH, samples: 6 });
  assert.equal(splits.test.size.median, lengthOf(EXAMPLES[5]![1]) + 1, "with the end of sequence");
  assert.deepEqual([sizes.unit, sizes.over, sizes.context], ["tokens", 1, 1000]);
  const together = samples.filter(({ paths }) => paths.length === 2);
  assert.equal(together.length, 2, "both files of the first commit are shown together");
  assert.equal(together[0]!.prompt, together[1]!.prompt);
  assert.match(together[0]!.prompt, /File: a\.ts\n.*File: b\.md\n/s);
  assert.ok(samples.every(({ prompt, answer }) => prompt.length + answer.length < 1000));
});

test("the same seed draws the same examples, another one others", async () => {
  const many = Array.from({ length: 40 }, (_, i) => ["train", example(i)] as const);
  const commits = async (seed: number) =>
    (await summaryOf(many, { ...WITHOUT, seed, samples: 10 })).samples.map(({ commit }) => commit);
  assert.equal(new Set(await commits(1)).size, 10);
  assert.deepEqual(await commits(1), await commits(1));
  assert.notDeepEqual(await commits(1), await commits(2));
});

test("an empty dataset and one without dates have summaries too", async () => {
  const empty = await summaryOf([], WITH, { created: {} });
  assert.deepEqual([empty.languages, empty.samples, empty.timeline.spans], [[], [], []]);
  assert.match(statsPage(empty), /<h1>Examples of a repository<\/h1>/);
  assert.ok(textTables(empty).length > 0);
  const dateless = await summaryOf(
    [0, 1, 2].map((i) => ["train", example(i, { time: i })] as const),
    WITHOUT,
  );
  assert.equal(dateless.timeline.dated, false);
  assert.match(statsPage(dateless), /no\. 1<\/text>/);
});

test("the tables", async () => {
  const tables = textTables(await summaryOf(EXAMPLES, WITHOUT));
  const print = (title: RegExp) =>
    tables.find((table) => title.test(table.title))!.rows.map((row) => row.join(" | "));
  assert.deepEqual(print(/^Records/), [
    "commits | 5, 1 of them merges",
    "changed files | 9",
    "examples | 6",
    "left out: binary | 3",
    "newest commit | abc",
  ]);
  assert.equal(print(/^Splits/)[1], "validation | 1 | 1 | 2023-11-17 | 2023-11-17 | 60 | 60 | 60");
  assert.deepEqual(print(/^Languages/).slice(0, 2), ["Markdown | 2 | 33.3 %", "TypeScript | 2 | 33.3 %"]);
  assert.ok(tables.every(({ columns, rows }) => rows.every((row) => row.length === columns.length)));
});

test("what the division moved, and test answers that stand in train, in both renderings", async () => {
  const line = (name: string) => `const ${name} = "more than twenty-five characters";\n`;
  const examples = [
    ["train", example(0, { old: line("old"), to: line("added") })],
    ["test", example(1, { to: line("old") + line("added") })],
    ["test", example(2, { to: line("added") + line("new") })],
    ["test", example(3)],
  ] as const;
  const none = { "cherry-pick": 0, revert: 0, duplicate: 0, "near-duplicate": 0 };
  const division = {
    train: { kept: 1, aside: none },
    validation: { kept: 0, aside: { ...none, revert: 7 } },
    test: { kept: 3, aside: { ...none, duplicate: 1234 } },
  };
  const summary = await summaryOf(examples, WITHOUT, { division });
  const divided = { examples: 3, answers: 2, knownAnswers: 1, lines: 4, knownLines: 3 };
  assert.deepEqual(summary.leak.divided, divided);
  const tables = textTables(summary);
  const rows = (title: RegExp) => tables.find((table) => title.test(table.title))!.rows;
  assert.deepEqual(rows(/^Set aside/), [
    ["cherry-pick", "0", "0"],
    ["revert", "7", "0"],
    ["duplicate", "0", "1,234"],
    ["near-duplicate", "0", "0"],
    ["kept", "0", "3"],
  ]);
  assert.deepEqual(rows(/^Test answers/)[0], ["this one", "2", "1", "50.00 %", "75.0 %"]);
  const page = statsPage(summary);
  assert.match(page, /<td>duplicate<\/td><td>0<\/td><td>1,234<\/td>/);
  assert.match(page, /<td>this one<\/td><td>2<\/td><td>1<\/td><td>50\.00 %<\/td>/);
  const undivided = await summaryOf(examples, WITHOUT);
  assert.equal(undivided.moved, null);
  assert.doesNotMatch(statsPage(undivided), /Set aside/);
});

const HOSTILE = `</pre><script>alert(1)</script><img src=x onerror=alert(1)> "'&amp; \u202e\u0007\u0000 ${"\u2066"}`;

test("nothing from a repository becomes markup, leaves the page, or hides in it", async () => {
  const nasty = [0, 1, 2].map(
    (i) =>
      [
        "train",
        example(i, { path: `x"><b>${i}`, message: HOSTILE, old: `${HOSTILE}\n`, to: `${HOSTILE}!\n` }),
      ] as const,
  );
  const created = { repository: `/x/<i onclick="y">${HOSTILE}`, head: "<b>" };
  for (const options of [WITHOUT, { ...WITH, model: { ...WITH.model!, name: "<u>m" } }]) {
    const summary = await summaryOf(nasty, options, { created });
    assert.equal(summary.samples.length, 3);
    const page = statsPage(summary);
    const tags = new Set([...page.matchAll(/<\/?([a-z0-9]+)/gi)].map(([, name]) => name!.toLowerCase()));
    const allowed =
      "html head meta title style body h1 h2 p span table thead tbody tr th td svg rect line text details summary pre i";
    assert.deepEqual(
      [...tags].filter((tag) => !allowed.split(" ").includes(tag)),
      [],
    );
    const inside = [...page.matchAll(/<[^>]*>|<style>[^<]*/g)].join("\n");
    assert.doesNotMatch(inside, /\son\w+=|https?:|src=|href=|url\(|@import/i);
    assert.doesNotMatch(page, /(?![\t\n])[\p{Cc}\p{Cf}]/u);
    assert.ok(page.includes("&lt;script&gt;alert(1)&lt;/script&gt;"), "it is shown as text");
    assert.ok(page.includes("<i>U+202E</i>"));
    assert.match(page, /Content-Security-Policy" content="default-src 'none'/);
    const text = textTables(summary)
      .flatMap(({ title, rows }) => [title, ...rows.flat()])
      .join("");
    assert.doesNotMatch(text, /[\p{Cc}\p{Cf}]/u);
    assert.doesNotMatch(page + text, /\/x\//, "the place on the disk is not told");
  }
});

test("every element that is opened is closed, in order", async () => {
  const page = statsPage(await summaryOf(EXAMPLES, WITH));
  const open: string[] = [];
  for (const [, end, name, own] of page.matchAll(/<(\/?)([a-z0-9]+)[^>]*?(\/?)>/g)) {
    if (end === "/") assert.equal(open.pop(), name);
    else if (own !== "/" && name !== "meta") open.push(name!);
  }
  assert.deepEqual(open, []);
});

// What a window shows of a long file: within its room, what was pointed at first, then what the message speaks of.

import assert from "node:assert/strict";
import { test } from "node:test";
import { randomText } from "../../test/texts.ts";
import { createRandom } from "../base/random.ts";
import { splitLines } from "../patch/text.ts";
import { chooseWindow, type Range, termsOf, type WindowTask } from "./window.ts";

/** A window over lines that cost one each. */
function windowOf(lines: readonly string[], given: Partial<WindowTask> & { message?: string }) {
  const { message = "", ...rest } = given;
  const costs = lines.map(() => 1);
  const terms = new Set(termsOf(message));
  return chooseWindow({
    lines,
    costs,
    gapCost: 1,
    room: 20,
    terms,
    termsOfLine: termsOf,
    focus: [],
    ...rest,
  });
}

const PLAIN = Array.from({ length: 100 }, (_, i) => `  line ${i}\n`);

function replaceAt(lines: readonly string[], at: Readonly<Record<number, string>>): string[] {
  return lines.map((line, i) => at[i] ?? line);
}

function includes(ranges: readonly Range[], line: number): boolean {
  return ranges.some(({ start, end }) => start <= line && line < end);
}

test("words of a text: identifiers and their parts, lower case, without words that every message has", () => {
  assert.deepEqual(termsOf("Fix res.sendFile for HTMLParser, add SEND_MAX and 404 to $el2"), [
    "res",
    "sendfile",
    "send",
    "file",
    "htmlparser",
    "html",
    "parser",
    "send_max",
    "max",
    "404",
    "$el2",
    "el",
  ]);
  assert.deepEqual(termsOf("Größe ändern 12"), ["größe", "ändern"]);
});

test("with nothing to go by, the first lines", () => {
  assert.deepEqual(windowOf(PLAIN, { message: "Nothing of the kind" }), [{ start: 0, end: 19 }]);
});

test("rare words of the message before frequent ones", () => {
  const lines = replaceAt(PLAIN, {
    ...Object.fromEntries(Array.from({ length: 15 }, (_, i) => [2 * i, "  common word\n"])),
    70: "  readTimeout = 5\n",
  });
  const ranges = windowOf(lines, { message: "Raise the common read timeout" });
  assert.ok(includes(ranges, 70) && includes(ranges, 65) && includes(ranges, 75), JSON.stringify(ranges));
});

test("what was pointed at is there whatever the message says, all places before the surroundings of any", () => {
  const lines = replaceAt(PLAIN, { 10: "  timeout\n" });
  const focus = [
    { start: 40, end: 42 },
    { start: 80, end: 80 },
  ];
  const ranges = windowOf(lines, { message: "Raise the timeout", focus });
  for (const line of [40, 41, 80]) assert.ok(includes(ranges, line), JSON.stringify(ranges));
  assert.ok(!includes(ranges, 10));
  const wide = windowOf(lines, { message: "Raise the timeout", focus, room: 60 });
  for (const line of [35, 46, 75, 85, 10]) assert.ok(includes(wide, line), JSON.stringify(wide));
});

test("a place at the end of the file, and one behind it", () => {
  for (const start of [99, 100, 500]) {
    const ranges = windowOf(PLAIN, { focus: [{ start, end: start }] });
    assert.ok(includes(ranges, 99), JSON.stringify(ranges));
  }
});

test("room that is left goes to the first lines and to the headings around", () => {
  const lines = replaceAt(PLAIN, { 30: "class Parser {\n", 50: " read() {\n", 60: "  limit = 3\n" });
  const ranges = windowOf(lines, { message: "Raise the limit", room: 24 });
  assert.deepEqual(ranges, [
    { start: 0, end: 5 },
    { start: 30, end: 31 },
    { start: 50, end: 51 },
    { start: 54, end: 67 },
  ]);
});

test("what follows from the same is the same, in order, apart, and within its room", () => {
  const random = createRandom(5);
  let windows = 0;
  for (let round = 0; round < 2000; round++) {
    const lines = splitLines(randomText(random, 80));
    const costs = lines.map(() => 1 + random.below(6));
    const gapCost = 1 + random.below(3);
    const room = random.below(120);
    const focus = Array.from({ length: random.below(3) }, () => {
      const start = random.below(lines.length + 5);
      return { start, end: start + random.below(4) };
    });
    const task = { costs, gapCost, room, focus, message: "line 3, line 17, tab" };
    const ranges = windowOf(lines, task);
    assert.deepEqual(windowOf(lines, task), ranges);
    let spent = 0;
    let last = -1;
    for (const { start, end } of ranges) {
      assert.ok(start > last && end > start && end <= lines.length, JSON.stringify(ranges));
      for (let i = start; i < end; i++) spent += costs[i]!;
      spent += start > Math.max(last, 0) ? gapCost : 0;
      last = end;
    }
    if (ranges.length > 0 && last < lines.length) spent += gapCost;
    assert.ok(spent <= room, `${spent} of ${room}`);
    if (ranges.length > 0) windows++;
  }
  assert.ok(windows > 1000, `${windows} windows`);
});

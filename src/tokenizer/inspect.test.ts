import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { tokenizerFromGguf } from "./gguf.ts";
import { countLines, inspect, lossBetween, visible } from "./inspect.ts";
import { loadTokenizer } from "./load.ts";

function golden(name: string): Buffer {
  return readFileSync(new URL(`../../test/golden/tokenizers/${name}`, import.meta.url));
}

const { metadata } = JSON.parse(golden("gpt-2.json").toString()) as { metadata: Record<string, unknown> };

test("tokens as they are spelled and as they are read, half a character by its letters", async () => {
  const { tokens, lines, bytes, loss } = await inspect(tokenizerFromGguf(metadata), " \t√");
  const spelled = tokens.map(({ token, shown }) => [token, shown]);
  assert.deepEqual(spelled.slice(0, 2), [
    ["Ġ", "·"],
    ["ĉ", "→"],
  ]);
  assert.deepEqual(spelled.slice(2), [
    ["â", "â"],
    ["Ī", "Ī"],
    ["ļ", "ļ"],
  ]);
  assert.deepEqual([lines, bytes, loss.whole], [1, 5, true]);
});

test("what T5 loses is told, and where first", async () => {
  const tokenizer = loadTokenizer({ "spiece.model": new Uint8Array(golden("t5.model")) });
  const { loss } = await inspect(tokenizer, "a\nif (a) {\n\tb }\n");
  assert.deepEqual(loss.missing, [
    ["\n", 3],
    ["\t", 1],
    ["{", 1],
    ["}", 1],
  ]);
  assert.deepEqual([loss.extra[0]![0], loss.first?.line, loss.first?.was], [" ", 1, "a"]);
});

test("a difference at the end is one too", () => {
  assert.deepEqual(lossBetween("a\nb", "a"), {
    whole: false,
    missing: [
      ["\n", 1],
      ["b", 1],
    ],
    extra: [],
    first: { line: 2, was: "b", is: "" },
  });
  assert.deepEqual(lossBetween("a", "a\nb").first, { line: 2, was: "", is: "b" });
});

test("lines are counted as editors do", () => {
  assert.deepEqual(["", "a", "a\n", "a\nb", "\n\n"].map(countLines), [0, 1, 1, 2, 2]);
});

test("nothing that is shown moves the cursor", () => {
  assert.equal(visible("a b\t\r\n\u00a0\u001b[2J\u202e▁"), "a·b→␍↵⍽\\u{1b}[2J\\u{202e}▁");
});

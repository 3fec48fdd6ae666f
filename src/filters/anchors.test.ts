// Many literals in one pass, against a plain search.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { createAnchors } from "./anchors.ts";

test("the same places as a search for each literal", () => {
  const random = createRandom(7);
  const pick = (letters: string, length: number) =>
    Array.from({ length }, () => letters[random.below(letters.length)]).join("");
  for (let round = 0; round < 200; round++) {
    const literals = [...new Set(Array.from({ length: 8 }, () => pick("ab_", 1 + random.below(4))))];
    const text = pick("aAbB_é\n中", random.below(60));
    const found: string[] = [];
    createAnchors(literals).find(text, (numbers, at) => {
      for (const number of numbers) found.push(`${number}@${at}`);
      return false;
    });
    const wanted = literals.flatMap((literal, number) =>
      [...text].length === 0 ? [] : ends(text.toLowerCase(), literal).map((at) => `${number}@${at}`),
    );
    assert.deepEqual(found.sort(), wanted.sort(), JSON.stringify({ literals, text }));
  }
});

function ends(text: string, literal: string): number[] {
  const places: number[] = [];
  for (let at = text.indexOf(literal); at >= 0; at = text.indexOf(literal, at + 1))
    places.push(at + literal.length - 1);
  return places;
}

test("the search stops when it is told to, and long texts fit", () => {
  const anchors = createAnchors(["key"]);
  let calls = 0;
  const stop = () => ++calls > 0;
  assert.equal(anchors.find("key key key", stop), true);
  assert.equal(calls, 1);
  assert.equal(
    anchors.find(`${"-".repeat(300_000)}KEY`, () => true),
    true,
  );
});

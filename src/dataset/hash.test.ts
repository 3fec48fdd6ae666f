// Keys of texts and their table.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createKeyTable, joinKeys, keyOf, keyOfBytes } from "./hash.ts";

test("different texts have different keys, and pieces of bytes those of their text", () => {
  const texts = Array.from({ length: 20_000 }, (_, i) => `line ${i}`);
  assert.equal(new Set(texts.map((text) => keyOf(text).join())).size, texts.length);
  assert.deepEqual(keyOfBytes(Buffer.from("xx abé"), 3, 7), keyOf("abé"));
  assert.notDeepEqual(joinKeys(keyOf("a"), keyOf("b")), joinKeys(keyOf("b"), keyOf("a")));
});

test("a table keeps the first number of a key while it grows", () => {
  const table = createKeyTable();
  for (let i = 0; i < 10_000; i++) table.put(keyOf(`${i}`), i % 3);
  for (let i = 0; i < 10_000; i++) table.put(keyOf(`${i}`), 9);
  for (let i = 0; i < 10_000; i++) assert.equal(table.get(keyOf(`${i}`)), i % 3);
  assert.equal(table.get(keyOf("none")), undefined);
});

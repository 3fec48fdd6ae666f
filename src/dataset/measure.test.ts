// Costs are the tokenizer's own, asked for once a text.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BYTES } from "../../test/bytes.ts";
import { createMeasure } from "./measure.ts";

test("each text is encoded once, however many there are and however large", async () => {
  const seen: string[] = [];
  const encodeBatch: typeof BYTES.encodeBatch = (texts) => {
    seen.push(...texts);
    return BYTES.encodeBatch(texts);
  };
  const measure = createMeasure({ ...BYTES, encodeBatch });
  const texts = ["é\n", "", ...Array.from({ length: 25_000 }, (_, i) => `${i}|`), "x".repeat(300_000)];
  await measure.learn([...texts, "é\n"]);
  await measure.learn(texts);
  assert.deepEqual(seen.sort(), [...texts].sort());
  assert.deepEqual([measure.cost("é\n"), measure.cost(""), measure.cost("24999|")], [3, 0, 6]);
  assert.throws(() => measure.cost("new"), /Expected a text that was learnt, found "new"/);
});

test("words of a text", () => {
  const measure = createMeasure(BYTES);
  assert.deepEqual(measure.terms("sendFile(path)"), ["sendfile", "send", "file", "path"]);
  assert.equal(measure.terms("sendFile(path)"), measure.terms("sendFile(path)"));
});

// Whether what is kept comes back as it was, what came first goes first, and whoever asks is told what went.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { createKept } from "./kept.ts";

test("random contents come back whole or are said to be gone", () => {
  const random = createRandom(5);
  const kept = createKept(100, 1024);
  const wanted = new Map<string, string>();
  let went = 0;
  for (let i = 0; i < 5000; i++) {
    const text = "é".repeat(random.below(8)) + "x".repeat(random.below(40));
    kept.keep(`${i}`, Buffer.from(text));
    wanted.set(`${i}`, text);
    for (const oid of kept.takeGone()) {
      assert.equal(oid, [...wanted.keys()][0], "the oldest goes first");
      wanted.delete(oid);
      assert.equal(kept.get(oid), undefined);
      went++;
    }
    for (const [oid, one] of wanted) assert.equal(kept.get(oid)?.toString(), one);
  }
  assert.ok(went > 4900 && wanted.size > 10, `${went} went, ${wanted.size} are there`);
});

test("what is too large is not kept, and what is there already is not kept twice", () => {
  const kept = createKept(60, 1024);
  kept.keep("large", Buffer.from("x".repeat(61)));
  kept.keep("wide", Buffer.from("é".repeat(31)));
  assert.deepEqual([kept.get("large"), kept.get("wide")], [undefined, undefined]);
  kept.keep("a", Buffer.from("y"));
  for (let i = 0; i < 17; i++) kept.keep("b", Buffer.from("x".repeat(60)));
  assert.equal(kept.get("a")?.toString(), "y");
  assert.deepEqual(kept.takeGone(), []);
});

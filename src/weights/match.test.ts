import assert from "node:assert/strict";
import { test } from "node:test";
import { matchParameters, requireParameters } from "./match.ts";

const source = {
  name: "model.gguf",
  arrays: new Map([
    ["a", { name: "a", storage: "F32", shape: [2, 3] }],
    ["b", { name: "b", storage: "F32", shape: [4] }],
  ]),
};

test("nothing is said when everything fits, whatever else the source has", () => {
  assert.deepEqual(matchParameters([{ name: "a", shape: [2, 3] }], source), []);
  requireParameters([{ name: "a", shape: [2, 3] }], source);
});

test("all mismatches are listed at once, with both shapes", () => {
  const wanted = [
    { name: "a", shape: [3, 2] },
    { name: "b", shape: [4] },
    { name: "c", shape: [1] },
    { name: "b", shape: [4, 1] },
  ];
  assert.deepEqual(matchParameters(wanted, source), [
    { name: "a", wanted: [3, 2], found: [2, 3] },
    { name: "c", wanted: [1], found: undefined },
    { name: "b", wanted: [4, 1], found: [4] },
  ]);
  assert.throws(() => requireParameters(wanted, source), {
    name: "UserError",
    message:
      /^Expected 4 arrays in model\.gguf, found 3 missing .*\n {2}a: expected \[3, 2\], found \[2, 3\]\n {2}c: expected \[1\], found nothing\n {2}b: /,
  });
});

test("a long list is cut", () => {
  const wanted = Array.from({ length: 30 }, (_, i) => ({ name: `x${i}`, shape: [1] }));
  assert.throws(() => requireParameters(wanted, source), /x19: .*\n {2}and 10 more$/);
});

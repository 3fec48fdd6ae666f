import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePair } from "./pair.ts";

test("message, path and content of a .file", () => {
  const request = parsePair("Fix it\nBecause.\n<pad>lib/a b.js<pad>\n\nlet a;\n\n<pad>\n");
  assert.deepEqual(request, {
    ok: true,
    value: { message: "Fix it\nBecause.\n", path: "lib/a b.js", old: "let a;\n\n<pad>\n" },
  });
});

test("an empty content is a file to be created", () => {
  assert.deepEqual(parsePair("Add\n<pad>a<pad>\n\n"), {
    ok: true,
    value: { message: "Add\n", path: "a", old: null },
  });
});

test("a text without delimiters is refused", () => {
  assert.equal(parsePair("Fix it\n").ok, false);
  assert.equal(parsePair("Fix it\n<pad>a\nb<pad>\n").ok, false);
  assert.equal(parsePair("Fix it\n<pad><pad>\n").ok, false);
});

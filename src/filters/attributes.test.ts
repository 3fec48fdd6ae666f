// What .gitattributes says for linguist.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readAttributes } from "./attributes.ts";

const attributeOf = readAttributes(
  [
    "# comment linguist-generated",
    "*.gen.ts linguist-generated=true text",
    "lib/** linguist-vendored",
    "lib/own.c -linguist-vendored",
    '"with space.txt" linguist-generated',
    "api/*.json linguist-generated=false",
    "[attr]linguist-generated",
    "[abc].c linguist-generated\r",
    "broken[ linguist-generated",
    "*.md text eol=lf",
  ].join("\n"),
);

test("set, unset, and no word on it; the last line decides", () => {
  assert.equal(attributeOf("src/a.gen.ts", "generated"), true);
  assert.equal(attributeOf("src/a.gen.ts", "vendored"), undefined);
  assert.equal(attributeOf("lib/a/b.c", "vendored"), true);
  assert.equal(attributeOf("lib/own.c", "vendored"), false);
  assert.equal(attributeOf("with space.txt", "generated"), true);
  assert.equal(attributeOf("api/x.json", "generated"), false);
  assert.equal(attributeOf("b.c", "generated"), true);
  assert.equal(attributeOf("readme.md", "generated"), undefined);
});

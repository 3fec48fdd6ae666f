// Quoting of paths, both ways, and the paths that are refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isSafePath, quotePath, unquotePath } from "./path.ts";

const PAIRS: readonly (readonly [path: string, shown: string])[] = [
  ["src/a b.ts", "src/a b.ts"],
  ["é/日本.md", "é/日本.md"],
  ['say "hi"', '"say \\"hi\\""'],
  ["back\\slash", '"back\\\\slash"'],
  ["tab\tline\nreturn\rbell\u0007", '"tab\\tline\\nreturn\\rbell\\a"'],
  ["\u0001\u007f", '"\\001\\177"'],
];

for (const [path, shown] of PAIRS) {
  test(`quotes ${shown}`, () => {
    assert.equal(quotePath(path), shown);
    assert.deepEqual(unquotePath(shown), { ok: true, value: path });
  });
}

test("reads octal bytes and refuses what git does not write", () => {
  assert.deepEqual(unquotePath('"\\303\\251"'), { ok: true, value: "é" });
  for (const bad of ['"open', '"a"b', '"\\x"', '"\\9"', '"\\303"'])
    assert.equal(unquotePath(bad).ok, false, bad);
});

test("unsafe paths", () => {
  for (const bad of ["", "/etc/passwd", "../x", "a/../b", "a//b", ".git/config", "a/.GIT/x", "./a", "a/"]) {
    assert.equal(isSafePath(bad), false, bad);
  }
  for (const good of ["a", ".github/x", "a..b/c", "x.git"]) assert.equal(isSafePath(good), true, good);
});

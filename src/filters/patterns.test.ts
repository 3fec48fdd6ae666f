// Patterns of .gitignore, with git itself as the judge.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { createMatcher } from "./patterns.ts";

const lists: readonly string[][] = [
  ["*.js"],
  ["/a"],
  ["a/"],
  ["a/*", "!a/b"],
  ["**/b"],
  ["a/**"],
  ["a/**/c"],
  ["b**c"],
  ["\\!x", "\\#y"],
  ["a\\ ", "b "],
  ["[a-c]x", "[!a]y", "[[:digit:]]*", "[]]z", "[\\]]w"],
  ["[a"],
  ["?"],
  ["", "# no", "a b"],
  ["/*", "!/src", "/src/*", "!/src/a.js"],
  ["a", "!a/b"],
  ["**"],
  ["**/"],
  ["/**/a"],
  ["a/**/**/c"],
  ["*/b"],
  ["a//b"],
  ["*.js", "!deep/**"],
  ["*.js", "!deep/**/"],
  ["/deep/*", "!**"],
];

const paths = [
  ...[
    "a",
    "b",
    "a/b",
    "a/c",
    "a/b/c",
    "x/a/b",
    "a/x/y/c",
    "a.js",
    "src/a.js",
    "src/b.js",
    "!x",
    "#y",
    "a ",
    "bc",
  ],
  ...[
    "bxxc",
    "ax",
    "dx",
    "by",
    "ay",
    "1a",
    "]z",
    "]w",
    "[a",
    "a b",
    "x/b/c/a",
    "a/b/b/c",
    "b/b",
    "deep/er/a/b.js",
  ],
];

test("the same files as git check-ignore, for chosen lists and for random ones", () => {
  const random = createRandom(4);
  const pieces = ["a", "b", "c", "x", "*", "**", "?", "/", "/", "[ab]", "[!b]", "!", "\\", ".", "js", " "];
  const make = () =>
    Array.from({ length: 1 + random.below(6) }, () => pieces[random.below(pieces.length)])
      .join("")
      .replaceAll("\\/", "/");
  const randomLists = Array.from({ length: 60 }, () => Array.from({ length: 1 + random.below(3) }, make));
  for (const list of [...lists, ...randomLists]) {
    const isMatch = createMatcher(list);
    assert.deepEqual(paths.filter(isMatch), ignoredByGit(list), JSON.stringify(list));
  }
});

const folder = mkdtempSync(join(tmpdir(), "codefudge-patterns-"));
test.after(() => rmSync(folder, { recursive: true }));
execFileSync("git", ["init", "-q", folder], { env: gitEnvironment() });

function gitEnvironment() {
  return { PATH: process.env.PATH, HOME: folder, GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null" };
}

function ignoredByGit(list: readonly string[]): string[] {
  writeFileSync(join(folder, ".gitignore"), `${list.join("\n")}\n`);
  const args = ["-C", folder, "check-ignore", "--no-index", "-z", "--stdin"];
  try {
    const input = paths.map((path) => `${path}\0`).join("");
    const found = execFileSync("git", args, { input, env: gitEnvironment(), encoding: "utf8" });
    return found.split("\0").filter((path) => path !== "");
  } catch (error) {
    if ((error as { status?: number }).status === 1) return [];
    throw error;
  }
}

test("a hostile pattern costs no more than its length times the path's", () => {
  const isMatch = createMatcher([`${"*a".repeat(200)}b`, `${"**/a/".repeat(100)}b`]);
  const start = process.cpuUsage();
  assert.equal(isMatch(`${"a".repeat(4000)}/${"a/".repeat(1000)}c`), false);
  assert.ok(process.cpuUsage(start).user < 5e6);
});

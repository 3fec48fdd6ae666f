// Plants each kind of breach in a small tree that is otherwise in order, and expects the check to name it.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { checkApi, renderApi } from "./api.ts";
import { checkImports, type ImportTable } from "./imports.ts";
import { checkMaps } from "./maps.ts";
import { checkSizes, LIMITS } from "./sizes.ts";

const TABLE: ImportTable = { base: [], history: ["base"], graph: ["base?"], cli: "everything" };

const TREE: Readonly<Record<string, string>> = {
  "src/base/name.ts": 'export const name = "x";\n',
  "src/history/git.ts":
    'import { spawn } from "node:child_process";\nimport { name } from "../base/name.ts";\nexport function runGit() {\n  return spawn(name);\n}\n',
  "src/graph/op.ts": "export type Op = string;\n",
  "src/cli/main.ts": 'import { runGit } from "../history/git.ts";\nconsole.log(runGit(), process.argv);\n',
  "src/graph/op.test.ts": 'import { runGit } from "../history/git.ts";\nrunGit();\n',
  "docs/architecture.md":
    "# A\n\n| folder | sentence | may import |\n|---|---|---|\n| `base` | Names. | nothing |\n| `history` | Git. | base |\n| `graph` | Ops. | base (planned) |\n| `cli` | Faces. | everything |\n",
  "docs/tour.md": "# Tour\n\n1. Starts git:\n   `src/history/git.ts`, `runGit()`.\n",
  "docs/dependencies.md": "# D\n\n## `left` 1.0.0\n\nWhy.\n",
  "docs/cli.md": "reference\n",
  "README.md": "See [the tour](docs/tour.md#tour) and [elsewhere](https://example.org/x).\n",
  "CONTRIBUTING.md": "# C\n",
  "package.json": '{ "dependencies": { "left": "1.0.0" } }\n',
};

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Everything the checks find in the tree with some files changed. */
function findings(changes: Readonly<Record<string, string>> = {}, table: ImportTable = TABLE): string[] {
  const root = mkdtempSync(join(tmpdir(), "codefudge-check-"));
  folders.push(root);
  for (const [path, text] of Object.entries({ ...TREE, ...changes })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return [...checkSizes(root, []), ...checkImports(root, table), ...checkMaps(root, "reference\n")];
}

function expectOne(found: readonly string[], pattern: RegExp): void {
  assert.equal(found.length, 1, found.join("\n"));
  assert.match(found[0]!, pattern);
}

test("a tree in order passes", () => {
  assert.deepEqual(findings(), []);
});

test("a forbidden import is named, whatever its form", () => {
  for (const form of [
    'import type { Op } from "../graph/op.ts";\nexport type A = Op;\n',
    'export * from "../graph/op.ts";\n',
    'export const a = () => import("../graph/op.ts");\n',
    'export type A = import("../graph/op.ts").Op;\n',
    'import op = require("../graph/op.ts");\nexport const a = op;\n',
    'export const a = require("../graph/op.ts");\n',
  ]) {
    expectOne(findings({ "src/base/bad.ts": form }), /^src\/base\/bad\.ts:1: base may not import graph/);
  }
});

test("an import that nobody can follow is named", () => {
  const computed = 'const name = "../graph/op.ts";\nexport const a = () => import(name);\n';
  expectOne(
    findings({ "src/base/bad.ts": computed }),
    /^src\/base\/bad\.ts:2: an import whose name is computed/,
  );
  const made = 'import { createRequire } from "node:module";\nexport const a = createRequire("/");\n';
  expectOne(
    findings({ "src/base/bad.ts": made }),
    /^src\/base\/bad\.ts:1: node:module, but modules are loaded/,
  );
});

test("a folder that the table does not know may import nothing and is missed on the map", () => {
  const found = findings({ "src/misc/a.ts": 'import { name } from "../base/name.ts";\nexport { name };\n' });
  assert.deepEqual(found, [
    "src/misc/a.ts:1: misc may not import base (../base/name.ts)",
    "docs/architecture.md: no row for src/misc",
  ]);
});

test("an entry of the table that nothing uses is stale, and so is a planned one that is used", () => {
  const history = { "src/history/git.ts": "export const runGit = () => 1;\n" };
  expectOne(findings(history), /^imports: history may import base but does not/);
  const graph = { "src/graph/op.ts": 'export { name as Op } from "../base/name.ts";\n' };
  expectOne(findings(graph), /^imports: graph imports base, remove the mark/);
});

test("the table in the page and the table in the script are the same", () => {
  const page = TREE["docs/architecture.md"]!.replace("| Git. | base |", "| Git. | base, graph |");
  expectOne(
    findings({ "docs/architecture.md": page }),
    /the row of history says "base, graph", .* says "base"/,
  );
});

test("the public surface may name every folder, nothing goes through it, and nothing stands beside it", () => {
  const surface = 'export { runGit } from "./history/git.ts";\nexport { name } from "./base/name.ts";\n';
  assert.deepEqual(findings({ "src/index.ts": surface }), []);
  const through = 'import { runGit } from "../index.ts";\nexport const a = runGit;\n';
  expectOne(
    findings({ "src/index.ts": surface, "src/graph/a.ts": through }),
    /^src\/graph\/a\.ts:1: src\/index\.ts is for other programs/,
  );
  expectOne(findings({ "src/stray.ts": "export {};\n" }), /^src\/stray\.ts: only src\/index\.ts stands/);
});

test("a cycle between files is named", () => {
  const found = findings({
    "src/base/a.ts": 'import { b } from "./b.ts";\nexport const a = b;\n',
    "src/base/b.ts": 'import type { a } from "./a.ts";\nexport const b: typeof a = 1;\n',
  });
  expectOne(found, /a cycle, src\/base\/a\.ts -> src\/base\/b\.ts -> src\/base\/a\.ts/);
});

test("each outside thing has one door", () => {
  const uses: [string, RegExp][] = [
    [
      'import "node:child_process";\n',
      /node:child_process, but git is started only in src\/history\/git\.ts/,
    ],
    ['import "onnxruntime-node";\n', /onnxruntime is imported only in src\/runtime\//],
    ['export const page = () => fetch("x");\n', /fetch, but outgoing connections/],
    ['import "node:https";\n', /node:https, but outgoing connections/],
    ["export const home = () => process.env.HOME;\n", /process\.env, but the environment is read only in/],
    ["const { argv } = process;\nexport { argv };\n", /process, but the terminal/],
    ['console.log("hello");\n', /console, but the terminal/],
  ];
  for (const [text, pattern] of uses) expectOne(findings({ "src/base/door.ts": text }), pattern);
  const harmless = "export const memory = () => process.memoryUsage.rss();\n";
  assert.deepEqual(findings({ "src/base/door.ts": harmless }), []);
});

test("a file over budget is named, and one at the budget is not", () => {
  const lines = (count: number) => "// x\n".repeat(count);
  assert.deepEqual(findings({ "src/base/long.ts": lines(LIMITS.fileLines) }), []);
  expectOne(findings({ "src/base/long.ts": lines(LIMITS.fileLines + 1) }), /^src\/base\/long\.ts: 401 lines/);
});

test("a function over budget is named, with its lines, its parameters and `any`", () => {
  const body = (lines: number) =>
    `export function f() {\n${"  g();\n".repeat(lines - 2)}}\nconst g = () => 1;\n`;
  assert.deepEqual(findings({ "src/base/f.ts": body(60) }), []);
  expectOne(findings({ "src/base/f.ts": body(61) }), /^src\/base\/f\.ts:1: f has 61 lines/);
  const four = "export const h = (a: 1, b: 1, c: 1, d: 1) => [a, b, c, d];\n";
  expectOne(findings({ "src/base/h.ts": four }), /^src\/base\/h\.ts:1: h has 4 parameters/);
  expectOne(findings({ "src/base/any.ts": "export let x: any;\n" }), /^src\/base\/any\.ts:1: `any`/);
});

test("all of src has a ceiling, which tests do not count for", () => {
  const files = (ending: string) =>
    Object.fromEntries(
      Array.from({ length: 114 }, (_, index) => [`src/base/f${index}${ending}`, "// x\n".repeat(390)]),
    );
  expectOne(findings(files(".ts")), /^src: 44\d\d\d lines without tests, the ceiling is 44000/);
  assert.deepEqual(findings(files(".test.ts")), []);
});

test("an exception excuses what it names, and is stale when nothing needs it", () => {
  const root = mkdtempSync(join(tmpdir(), "codefudge-check-"));
  folders.push(root);
  mkdirSync(join(root, "src"));
  writeFileSync(join(root, "src/long.ts"), "// x\n".repeat(500));
  const exception = { file: "src/long.ts", name: "*", reason: "a table" };
  assert.deepEqual(checkSizes(root, [exception]), []);
  writeFileSync(join(root, "src/long.ts"), "// x\n");
  expectOne(checkSizes(root, [exception]), /the exception for \* is no longer needed/);
});

test("a stale map is named", () => {
  const tour = (step: string) => findings({ "docs/tour.md": `# Tour\n\n1. ${step}\n` });
  expectOne(tour("`src/history/git.ts`, `runGitt()`"), /step 1 names runGitt\(\), which .* does not declare/);
  expectOne(tour("`src/history/hg.ts`, `run()`"), /step 1 names src\/history\/hg\.ts, which does not exist/);
  expectOne(tour("Nothing at all."), /step 1 names no file and function/);
  expectOne(findings({ "docs/cli.md": "old\n" }), /^docs\/cli\.md: differs/);
  expectOne(findings({ "README.md": "[x](docs/none.md)\n" }), /^README\.md: links to docs\/none\.md/);
  expectOne(findings({ "README.md": "[x](docs/tour.md#no)\n" }), /a heading that does not exist/);
  const rowTooMany = `${TREE["docs/architecture.md"]}| \`studio\` | A page. | everything |\n`;
  expectOne(findings({ "docs/architecture.md": rowTooMany }), /a row for src\/studio, which does not exist/);
});

test("the page of the public surface has every name with its docstring, and is stale when one changes", () => {
  const root = mkdtempSync(join(tmpdir(), "codefudge-check-"));
  folders.push(root);
  for (const folder of ["src/base", "docs"]) mkdirSync(join(root, folder), { recursive: true });
  const write = (path: string, text: string) => writeFileSync(join(root, path), text);
  write("src/index.ts", 'export { greet, type Name } from "./base/greet.ts";\n');
  const type = "/** What one is called. */\nexport type Name = string;\n";
  const code = `${type}/** Says hello. */\nexport function greet(name: Name): string {\n  return name;\n}\n`;
  write("src/base/greet.ts", code);
  expectOne(checkApi(root), /^docs\/api\.md: missing, or without the line/);
  write("docs/api.md", "# A\n\n<!-- From here on written by `npm run docs`. -->\n");
  expectOne(checkApi(root), /^docs\/api\.md: differs from src\/index\.ts/);
  write("docs/api.md", renderApi(root)!);
  assert.deepEqual(checkApi(root), []);
  assert.match(
    renderApi(root)!,
    /^# A$[\s\S]*^## base$[\s\S]*function greet\(name: Name\): string\n```\n\nSays hello\./m,
  );
  write("src/base/greet.ts", code.replace("/** Says hello. */\n", ""));
  assert.match(
    checkApi(root)[0]!,
    /^src\/base\/greet\.ts: greet is public \(src\/index\.ts\) and has no docstring/,
  );
});

test("an unlisted dependency is named, and one listed too many, and another version", () => {
  const manifest = (text: string) => findings({ "package.json": text });
  expectOne(manifest('{ "dependencies": { "left": "1.0.0", "pad": "2.0.0" } }'), /no entry for pad/);
  expectOne(manifest("{}"), /an entry for left, which package\.json does not list/);
  expectOne(
    manifest('{ "devDependencies": { "left": "1.1.0" } }'),
    /left 1\.0\.0, package\.json has 1\.1\.0/,
  );
});

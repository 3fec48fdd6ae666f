// Values on the line after their names, alone and in diffs; what is known of an old content changes nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { continued, isOpen, linesAfter } from "./pairs.ts";
import { createScanner } from "./secrets.ts";

const VALUE = ["q8ZrT2vLx7PnW4mK", "d9Yb3HsJ6FgQ1cNe"].join("");
const commit = { hash: "c", message: "Add it", author: "A", mail: "", time: 0, merge: false };
let count = 0;
const nextId = () => (++count).toString(16).padStart(8, "0").padEnd(40, "a");

function scan(old: string | null, body: string): boolean {
  const diff = `diff --git a/f b/f\n@@ -1,9 +1,9 @@\n${body}`;
  const change = { path: "f", old, diff, oldOid: nextId(), newOid: nextId() };
  return createScanner().scan(commit, change) !== undefined;
}

const pairs: readonly (readonly string[])[] = [
  ["  - name: DB_PASSWORD", `    value: "${VALUE}"`],
  ["  - name: API_TOKEN", `    value: ${VALUE}`],
  ['  "name": "STRIPE_SECRET",', `  "value": "${VALUE}"`],
  ['variable "db_password" {', "  type    = string", `  default = "${VALUE}"`],
  ["<key>APIKey</key>", `<string>${VALUE}</string>`],
  ["const accessToken =", `  "${VALUE}";`],
  ["const secret = env.SECRET ||", `  "${VALUE}";`],
  ["api_key: >-", `  ${VALUE}`],
  ["API_TOKEN = (", `    "${VALUE}"`],
  ["<password>", `  ${VALUE}`],
  ["export API_TOKEN=\\", `"${VALUE}"`],
];

test("a value after its name is found in contents, messages and diffs", () => {
  for (const lines of pairs) {
    const added = lines.map((line) => `+${line}\n`).join("");
    assert.ok(scan("a\n", added), lines[0]);
    assert.ok(scan(`a\n${lines.join("\n")}\n`, "-a\n+b\n"), lines[0]);
    const value = lines.at(-1)!;
    const kept = lines.slice(0, -1).map((line) => ` ${line}\n`);
    assert.ok(scan("a\n", `${kept.join("")}-  none\n\\ No newline at end of file\n+${value}\n`), lines[0]);
  }
});

test("names without a value, values of something else, and other hunks are none", () => {
  assert.ok(!scan("a\n", `+const accessToken =\n+  read();\n+const id = "${VALUE}";\n`));
  assert.ok(!scan("a\n", `+- name: LOG_LEVEL\n+  value: "${VALUE}"\n`));
  assert.ok(!scan("a\n", "+- name: API_TOKEN\n+  valueFrom: { secretKeyRef: { name: api-token-2 } }\n"));
  assert.ok(!scan("a\n", `+const accessToken =\n@@ -50 +50 @@\n+"${VALUE}"\n`));
  assert.ok(!scan("a\n", `-const accessToken =\n+const other =\n+"${VALUE}"\n`));
});

test("lines that stay open, and what follows them", () => {
  assert.ok(isOpen("token:") && isOpen("token = ") && !isOpen("token = 1") && !isOpen(`${"x".repeat(500)}=`));
  assert.deepEqual(continued("key: >-", ["  a", "b"]), ["key: a", "key: b"]);
  assert.deepEqual(continued("<password>", ["  a"]), ["<password>a"]);
  assert.deepEqual(linesAfter("a\nb\nc\nd", 1, 0), ["b", "c"]);
  assert.deepEqual(linesAfter("+a\n-b\n c\n\\ No\n+d\n", 2, 1), ["c", "d"]);
});

/** Each line as it was, changed, gone, or with another one before it; with all lines around, as in a short diff. */
function edit(lines: readonly string[], choose: (below: number) => number) {
  const parts = ["token:", `  ${VALUE}`, '  "x",', "- name: API_KEY", `  value: ${VALUE}`, "plain"];
  const any = () => parts[choose(parts.length)]!;
  const diff: string[] = [];
  for (const line of lines) {
    const what = choose(6);
    if (what === 0) diff.push(`-${line}`, `+${any()}`);
    else if (what === 1) diff.push(`-${line}`);
    else if (what === 2) diff.push(`+${any()}`, ` ${line}`);
    else diff.push(` ${line}`);
  }
  const after = diff.filter((line) => !line.startsWith("-")).map((line) => line.slice(1));
  return { diff: `${diff.join("\n")}\n`, after };
}

test("a diff of a known content says what the whole new content says", () => {
  const { below } = createRandom(11);
  let found = 0;
  for (let round = 0; round < 2000; round++) {
    const before = Array.from(
      { length: 5 },
      () => ["plain", "token:", '  "x",', "- name: API_KEY"][below(4)]!,
    );
    const { diff, after } = edit(before, below);
    const inDiff = scan(null, diff);
    const inWhole = scan(`${after.join("\n")}\n`, " plain\n");
    assert.equal(inDiff, inWhole, diff);
    if (inDiff) found++;
  }
  assert.ok(found > 200 && found < 1800, `${found}`);
});

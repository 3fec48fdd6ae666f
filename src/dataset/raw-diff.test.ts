// The raw diff format with several files and with windows: the prompt as text, answers there and back, refusals.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPatch } from "../patch/create.ts";
import { printPatch } from "../patch/print.ts";
import { formats } from "./format.ts";
import type { WantedChange } from "./raw-diff.ts";
import { OUTSIDE, type Request, type RequestFile } from "./request.ts";

const { diff } = formats;

const LINES = Array.from({ length: 20 }, (_, i) => `line ${i + 1}\n`).join("");

const WINDOW: RequestFile = { path: "a", old: LINES, role: "change", shown: [{ start: 4, end: 13 }] };
const OTHER: RequestFile = { path: "a b", old: "x\ny\n", role: "change", shown: "all" };
const request: Request = { message: "Do it", files: [WINDOW, OTHER] };

function changeOf({ path, old }: RequestFile, to: string): WantedChange {
  const patch = createPatch({ path, old, new: to });
  return { patch, diff: printPatch(patch).replace("--- ", "index 1111111..2222222 100644\n--- ") };
}

const BOTH = [changeOf(WINDOW, LINES.replace("line 8", "LINE 8")), changeOf(OTHER, "x\nz\n")] as const;

test("the prompt says which lines a window has", () => {
  const piece = LINES.split("\n").slice(4, 13).join("\n");
  assert.equal(
    diff.prompt(request),
    `Message: Do it\nFile: a\n@@ -5,9 @@\n${piece}\nFile: a b\nx\ny\nDiff:\n`,
  );
});

test("the answer is the diffs one after another, there and back", () => {
  const answer = diff.answer(request, BOTH);
  assert.ok(answer.ok);
  assert.equal(answer.value, BOTH.map((one) => printPatch(one.patch)).join(""));
  assert.deepEqual(diff.parse(answer.value, request), { ok: true, value: BOTH.map(({ patch }) => patch) });
  const read = diff.read(answer.value, request);
  assert.deepEqual(read.ok && read.value.map(({ path, new: text }) => [path, text]), [
    ["a", LINES.replace("line 8", "LINE 8")],
    ["a b", "x\nz\n"],
  ]);
});

test("each file's diff is mended on its own", () => {
  const text = BOTH.map(({ patch }) => printPatch(patch).replace(/@@ -\d+(,\d+)? /, "@@ -1,1 ")).join("");
  const read = diff.read(text, request);
  assert.equal(read.ok && read.value.length, 2);
});

test("changed lines must be shown, to write them and to read them", () => {
  const hidden = changeOf(WINDOW, LINES.replace("line 20", "LINE 20"));
  const edge = changeOf(WINDOW, LINES.replace("line 12", "LINE 12"));
  const alone = { message: "", files: [WINDOW] };
  for (const one of [hidden, edge])
    assert.deepEqual(diff.answer(alone, [one]), { ok: false, reason: OUTSIDE });
  assert.deepEqual(diff.read(printPatch(hidden.patch), alone), {
    ok: false,
    reason: "changes lines that are not shown",
  });
  // Its context reaches beyond the window, which the file itself can fill in; what it changes does not.
  assert.equal(diff.read(printPatch(edge.patch), alone).ok, true);
});

test("a diff of no file, of another, or twice of one is refused", () => {
  const one = printPatch(BOTH[1].patch);
  const reason = (answer: string) => {
    const read = diff.read(answer, request);
    return read.ok ? "taken" : read.reason;
  };
  assert.equal(reason("Sure!\n"), "no diff found");
  assert.equal(reason(one + one), "two diffs of one file");
  assert.equal(reason(one.replaceAll("a b", "c")), "a diff of a file that is not to change");
});

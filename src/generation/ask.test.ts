// Several files asked for at once: packed as in training, answered one request at a time, and the diffs together are
// one that git takes. The network is a stand-in that says what it is told.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { BYTES } from "../../test/bytes.ts";
import { formats } from "../dataset/format.ts";
import type { Ask } from "../dataset/pack.ts";
import { runGit } from "../history/git.ts";
import { packAsk, suggestAll } from "./ask.ts";
import type { Writer } from "./suggest.ts";

/** A writer that gives these answers, in order. */
function writerOf(answers: readonly string[]): Writer {
  const left = [...answers];
  let ids: number[] = [];
  const logits = () => {
    const values = new Float32Array(BYTES.vocabSize);
    values[ids.shift() ?? BYTES.eosId] = 1;
    return values;
  };
  const decoder = {
    room: 4000,
    begin: async () => {
      ids = [...Buffer.from(left.shift()!)];
      return logits();
    },
    next: async () => logits(),
    dispose: async () => {},
  };
  const signal = new AbortController().signal;
  return {
    decoder,
    tokenizer: BYTES,
    format: formats.region,
    max_new_tokens: 500,
    signal,
  };
}

const LONG = Array.from({ length: 300 }, (_, i) => `line ${i + 1}\n`).join("");
const FILES = { "a.txt": "one\ntwo\n", "long.txt": LONG, "b c.txt": "x" };

const ASK: Ask = {
  message: "Do it",
  change: [
    { path: "a.txt", old: FILES["a.txt"], focus: [] },
    { path: "long.txt", old: LONG, focus: [{ start: 199, end: 200 }] },
    { path: "b c.txt", old: "x", focus: [] },
    { path: "new.txt", old: null, focus: [] },
  ],
  context: [],
};
const LIMITS = { room: 1500, max_files: 4 };

async function answer(answers: readonly string[]) {
  const writer = writerOf(answers);
  const requests = await packAsk(writer, ASK, LIMITS);
  const out: { paths: string[]; diff: string; reason: string }[] = [];
  for await (const { request, suggestion } of suggestAll(writer, requests)) {
    const { change } = suggestion;
    const paths = request.files.filter(({ role }) => role === "change").map(({ path }) => path);
    out.push({ paths, diff: change.ok ? change.value.diff : "", reason: change.ok ? "" : change.reason });
  }
  return out;
}

test("small files in one request, the long one as a window where it was pointed at; git takes all diffs as one", async () => {
  const parts = await answer([
    "@file a.txt\n@2,1\n2\n@file new.txt\n@create 100644\nhello\n@file b c.txt\n@1,1\ny\n",
    "@200,1\nLINE 200\n",
  ]);
  assert.deepEqual(
    parts.map(({ paths, reason }) => [paths, reason]),
    [
      [["a.txt", "b c.txt", "new.txt"], ""],
      [["long.txt"], ""],
    ],
  );
  const folder = mkdtempSync(join(tmpdir(), "codefudge-test-"));
  try {
    for (const [path, text] of Object.entries(FILES)) writeFileSync(join(folder, path), text);
    const diff = parts.map((part) => part.diff).join("");
    for (const how of [["--check"], []]) {
      const { exitCode, stderr } = await runGit(["apply", ...how, "-"], { cwd: folder, input: diff });
      assert.equal(exitCode, 0, stderr);
    }
    assert.equal(readFileSync(join(folder, "long.txt"), "utf8"), LONG.replace("line 200\n", "LINE 200\n"));
    assert.equal(readFileSync(join(folder, "b c.txt"), "utf8"), "y\n");
    assert.equal(readFileSync(join(folder, "new.txt"), "utf8"), "hello\n");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("an answer that fails leaves the others, and two may not give files one name", async () => {
  const failed = await answer(["@file a.txt\n@2,1\n2\n", "@9,1\nx\n"]);
  assert.deepEqual(
    failed.map(({ reason }) => reason),
    ["", "line 1: names lines that are not shown"],
  );
  const clash = await answer(["@file a.txt\n@rename z\n", "@rename z\n"]);
  assert.deepEqual(
    clash.map(({ reason }) => reason),
    ["", "z is the name of another file"],
  );
  const taken = await answer(["@file a.txt\n@rename long.txt\n", "@200,1\nx\n"]);
  assert.equal(taken[0]!.reason, "a file would take the name of another");
});

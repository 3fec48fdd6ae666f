// Datasets on disk: written, read back, and the sentences for folders and lines that are wrong.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { UserError } from "../base/errors.ts";
import type { Example } from "./example.ts";
import { createDatasetWriter, readExamples, readManifest, splitPath } from "./store.ts";

const NAMES = ["dropped.jsonl", "manifest.json", "test.jsonl", "train.jsonl", "validation.jsonl"];
const PART = { counters: { merge: 2 }, options: { limit: 5 }, created: { at: "2020-01-01" } };

function withFolder(body: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "codefudge-store-"));
  try {
    body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function example(message: string): Example {
  return {
    message,
    path: "f",
    old: null,
    diff: "d",
    commit: "c",
    parent: null,
    time: 1,
    author: "A",
    weight: 1,
  };
}

test("examples come back in order, odd line breaks and large lines included", () => {
  withFolder((folder) => {
    const messages = ["a\r\nb", "\u2028\u2029", "é 日本 🙂".repeat(40_000), "", "z\\n\u0000"];
    const writer = createDatasetWriter(join(folder, "data"));
    for (const message of messages) writer.write("train", example(message));
    writer.write("test", example("t"));
    writer.drop({ commit: "c", path: "p", reason: "binary" });
    const manifest = writer.finish(PART);
    writer.abort();
    assert.deepEqual(readdirSync(join(folder, "data")).sort(), NAMES);
    const read = [...readExamples(join(folder, "data"), "train")];
    assert.deepEqual(read, messages.map(example));
    assert.deepEqual([...readExamples(join(folder, "data"), "validation")], []);
    assert.deepEqual(readManifest(join(folder, "data")), manifest);
    assert.deepEqual(manifest.examples, { train: 5, validation: 0, test: 1 });
    const bytes = readFileSync(splitPath(join(folder, "data"), "train"));
    assert.equal(manifest.sha256["train.jsonl"], createHash("sha256").update(bytes).digest("hex"));
  });
});

test("nothing is left of an aborted dataset, and an older one stays whole", () => {
  withFolder((folder) => {
    const first = createDatasetWriter(folder);
    first.write("train", example("old"));
    const manifest = first.finish(PART);
    const second = createDatasetWriter(folder);
    second.write("train", example("new"));
    second.abort();
    assert.deepEqual(readdirSync(folder).sort(), NAMES);
    assert.deepEqual(readManifest(folder), manifest);
    assert.equal([...readExamples(folder, "train")][0]?.message, "old");
  });
});

test("a missing manifest says what to run", () => {
  withFolder((folder) => {
    assert.throws(
      () => readManifest(folder),
      new UserError(
        `Expected a dataset in ${folder}, found no manifest.json; run codefudge history to make one`,
      ),
    );
    writeFileSync(join(folder, "manifest.json"), "[]");
    assert.throws(() => readManifest(folder), /^UserError: Expected a dataset manifest of version 1/);
  });
});

test("a bad line is named by file and number", () => {
  withFolder((folder) => {
    const path = splitPath(folder, "test");
    const read = () => [...readExamples(folder, "test")];
    assert.throws(read, /^UserError: Expected a readable file at /);
    writeFileSync(path, `${JSON.stringify(example("m"))}\n`);
    assert.equal(read().length, 1);
    appendFileSync(path, '{"message": "cut\n');
    assert.throws(read, /^UserError: Expected one example as JSON in .*test.jsonl:2, found/);
    writeFileSync(path, `${JSON.stringify({ ...example("m"), time: "1" })}\n`);
    assert.throws(read, /^UserError: Expected "time" to be number in .*test.jsonl:1, found string$/);
  });
});

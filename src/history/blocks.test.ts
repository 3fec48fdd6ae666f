// Whether a file of blocks keeps every whole block, whatever happened to its end.

import assert from "node:assert/strict";
import { readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { withFolder } from "../../test/repository.ts";
import { openBlocks } from "./blocks.ts";

const texts = ["one", "two".repeat(10_000), "", "four\0\n"];

function writeAll(path: string): number[] {
  const file = openBlocks(path, "a title");
  const sizes = texts.map((text, i) => {
    file.append({ number: i }, Buffer.from(text));
    return statSync(path).size;
  });
  file.close();
  return sizes;
}

function readAll(path: string, title = "a title"): string[] {
  const file = openBlocks(path, title);
  try {
    assert.deepEqual(
      file.blocks.map(({ label }) => label),
      file.blocks.map((_, i) => ({ number: i })),
    );
    return file.blocks.map((block) => file.read(block).toString());
  } finally {
    file.close();
  }
}

test("blocks come back in order with their labels, and more can be added", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "made", "blocks");
    writeAll(path);
    assert.deepEqual(readAll(path), texts);
    const file = openBlocks(path, "a title");
    file.cut(2);
    file.append({ number: 2 }, Buffer.from("another third"));
    file.close();
    assert.deepEqual(readAll(path), [...texts.slice(0, 2), "another third"]);
    assert.deepEqual(readAll(path, "another title"), []);
    assert.equal(readFileSync(path, "utf8"), "another title\n");
  });
});

test("cut anywhere, the blocks before are whole; a changed byte ends it", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "blocks");
    const sizes = writeAll(path);
    const whole = readFileSync(path);
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(path, whole);
      truncateSync(path, length);
      const kept = sizes.filter((size) => size <= length).length;
      assert.deepEqual(readAll(path), texts.slice(0, kept), `${length} bytes`);
    }
    for (let at = "a title\n".length; at < whole.length; at += 7) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 0x10;
      writeFileSync(path, damaged);
      const kept = sizes.filter((size) => size <= at).length;
      assert.deepEqual(readAll(path), texts.slice(0, kept), `byte ${at}`);
    }
  });
});

test("a place that cannot be written is said in words", async () => {
  await withFolder(async (folder) => {
    writeFileSync(join(folder, "file"), "");
    assert.throws(
      () => openBlocks(join(folder, "file", "blocks"), "a title"),
      /^UserError: Expected to write/,
    );
  });
});

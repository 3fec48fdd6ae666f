import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { charsmapProblem } from "./charsmap.ts";
import { readSentencePiece } from "./sentencepiece.ts";

function tableOf(name: string): Uint8Array {
  const bytes = readFileSync(new URL(`../../test/golden/tokenizers/${name}.model`, import.meta.url));
  return new Uint8Array(readSentencePiece(name, bytes).charsmap!);
}

/** A table with one unit changed. */
function withUnit(table: Uint8Array, index: number, change: (unit: number) => number): Uint8Array {
  const copy = Uint8Array.from(table);
  const view = new DataView(copy.buffer);
  view.setUint32(4 + 4 * index, change(view.getUint32(4 + 4 * index, true)) >>> 0, true);
  return copy;
}

test("the table of nmt_nfkc, and one made of rules, can be followed", () => {
  for (const name of ["t5", "xlnet"]) assert.equal(charsmapProblem(tableOf(name)), undefined);
});

test("a table that leads out of itself is found out", () => {
  const table = tableOf("xlnet");
  const size = new DataView(table.buffer).getUint32(0, true);
  // The root's own offset, one block past the end.
  const away = withUnit(table, 0, () => ((size / 4 + 256) << 10) >>> 0);
  assert.match(charsmapProblem(away)!, /a path that leads out of it/);
  const isLeaf = (unit: number) => unit >>> 31 === 1;
  const view = new DataView(table.buffer);
  const leaf = Array.from({ length: size / 4 }, (_, i) => i).find((i) =>
    isLeaf(view.getUint32(4 + 4 * i, true)),
  );
  const outside = withUnit(table, leaf!, () => 0x8000_0000 + table.length);
  assert.match(charsmapProblem(outside)!, /a replacement that lies outside/);
});

test("a replacement that begins within a character is found out", () => {
  const table = tableOf("xlnet");
  const size = new DataView(table.buffer).getUint32(0, true);
  const texts = Buffer.from(table.subarray(4 + size));
  const within = texts.findIndex((byte) => (byte & 0xc0) === 0x80);
  assert.ok(within > 0);
  const view = new DataView(table.buffer);
  const leaf = Array.from({ length: size / 4 }, (_, i) => i).find(
    (i) => view.getUint32(4 + 4 * i, true) >>> 31 === 1,
  );
  assert.match(charsmapProblem(withUnit(table, leaf!, () => 0x8000_0000 + within))!, /lies outside/);
});

test("sizes are held against the table's own", () => {
  const table = tableOf("xlnet");
  const withSize = (size: number) => {
    const copy = Uint8Array.from(table);
    new DataView(copy.buffer).setUint32(0, size, true);
    return copy;
  };
  for (const size of [0, 3, table.length - 3, table.length, 0xffff_fffc]) {
    assert.match(charsmapProblem(withSize(size))!, /whose trie has/, `${size}`);
  }
  assert.match(charsmapProblem(table.subarray(0, 3))!, /cut off/);
  assert.match(charsmapProblem(new Uint8Array(5 << 20))!, /of 5242880 bytes/);
  assert.match(charsmapProblem(Buffer.concat([table, Buffer.of(0xff)]))!, /not UTF-8/);
});

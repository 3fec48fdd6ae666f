// Whether both ways of escaping give what JSON.stringify gives, at every place of a text and at every length.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { BYTES_PER_ESCAPE, escapeBytes, escapeWords } from "./escape.ts";
import { openSimd } from "./escape-simd.ts";

function escapedBy(way: typeof escapeBytes, text: string): string {
  const bytes = Buffer.from(text);
  const target = Buffer.alloc(bytes.length * BYTES_PER_ESCAPE + 8, "#");
  const end = way(bytes, target, 3);
  assert.equal(target.toString("latin1", end, end + 1), "#", "nothing behind the end");
  return target.toString("utf8", 3, end);
}

function check(text: string): void {
  const wanted = JSON.stringify(text).slice(1, -1);
  for (const way of [escapeBytes, escapeWords]) assert.equal(escapedBy(way, text), wanted);
}

test("every byte, and every place within sixteen, is escaped as JSON.stringify does", () => {
  const every = Array.from({ length: 0x180 }, (_, code) => String.fromCharCode(code));
  for (const one of every)
    for (let at = 0; at < 18; at++) check(`${"x".repeat(64 + at)}${one}${"y".repeat(at)}`);
  check(every.join(""));
});

test("texts of every length, and longer than what is taken at once", () => {
  for (let length = 0; length < 200; length++) check("a\n".repeat(length).slice(0, length));
  const random = createRandom(7);
  for (const size of [65535, 65536, 65537, 200_000]) {
    for (const range of [32, 128, 0x800]) {
      check(Array.from({ length: size }, () => String.fromCharCode(random.below(range))).join(""));
    }
  }
});

test("the instructions are those of a module that this engine takes", () => {
  const simd = openSimd(new Uint8Array(256), Buffer.from("0123456789abcdef"));
  assert.ok(simd !== null, "every processor that Node 20 is tested on has them");
  assert.equal(Buffer.from(simd(Buffer.from("text"))).toString(), "text");
});

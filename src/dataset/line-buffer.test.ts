// Whether lines are those of JSON.stringify to the byte, whichever way their texts came.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { createLineBuffer } from "./line-buffer.ts";

const every = Array.from({ length: 0x2100 }, (_, code) => String.fromCharCode(code)).join("");
const odd = [
  "",
  "\u2028\u2029",
  "😀 grüße 日本",
  `${every}\u007f\ufffd\uffff`,
  '\\"\\\\"',
  "\0\u001f\n\r\n\t\b\f",
];

test("texts as bytes give what JSON.stringify gives", () => {
  const buffer = createLineBuffer();
  for (const text of odd) {
    const record = { message: text, old: text, none: null, number: 1.5, list: [text] };
    const bytes = buffer.add(record, { old: Buffer.from(text), none: null });
    const line = buffer.take();
    assert.equal(bytes, line.length);
    assert.equal(line.toString("utf8"), `${JSON.stringify(record)}\n`);
  }
  buffer.add({});
  assert.equal(buffer.take().toString(), "{}\n");
});

test("records of random texts of any size follow each other", () => {
  const random = createRandom(1);
  const buffer = createLineBuffer();
  const wanted: string[] = [];
  for (let i = 0; i < 300; i++) {
    const size = random.below(i % 100 === 0 ? 1_000_000 : 300);
    const text = Array.from({ length: size }, () =>
      String.fromCodePoint(random.below(i % 2 ? 128 : 0x800)),
    ).join("");
    wanted.push(`${JSON.stringify({ i, text })}\n`, "raw\n");
    buffer.add({ i, text }, random.below(2) === 0 ? { text: Buffer.from(text) } : {});
    buffer.addLine(Buffer.from("raw\n"));
  }
  assert.equal(buffer.size(), Buffer.byteLength(wanted.join("")));
  assert.ok(buffer.take().equals(Buffer.from(wanted.join(""))));
  assert.equal(buffer.size(), 0);
});

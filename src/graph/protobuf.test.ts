// Expected bytes are from protobuf's documentation, "Encoding", and from its rules for negative numbers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, float, integer, join, packed } from "./protobuf.ts";

const hex = (field: Uint8Array) => Buffer.from(field).toString("hex");

test("varints, from the documentation's 150 to both ends of 64 bits", () => {
  assert.equal(hex(integer(1, 0)), "0800");
  assert.equal(hex(integer(1, 127)), "087f");
  assert.equal(hex(integer(1, 128)), "088001");
  assert.equal(hex(integer(1, 150)), "089601");
  assert.equal(hex(integer(1, 2 ** 40)), "08808080808020");
  assert.equal(hex(integer(1, -1)), "08ffffffffffffffffff01");
  assert.equal(hex(integer(1, -(2n ** 63n))), "0880808080808080808001");
  assert.equal(hex(integer(1, 2n ** 63n - 1n)), "08ffffffffffffffff7f");
});

test("field numbers over 15 take two bytes", () => {
  assert.equal(hex(integer(20, 2)), "a00102");
  assert.equal(hex(bytes(16, "")), "820100");
});

test("texts, bytes and messages are length and content", () => {
  assert.equal(hex(bytes(2, "testing")), "120774657374696e67");
  assert.equal(hex(bytes(2, "é")), "1202c3a9");
  assert.equal(hex(bytes(3, [integer(1, 150)])), "1a03089601");
  assert.equal(hex(bytes(1, new Uint8Array(200))).slice(0, 6), "0ac801");
});

test("packed integers and floats", () => {
  assert.equal(hex(packed(6, [3, 270, 86942])), "3206038e029ea705");
  assert.equal(hex(packed(1, [-1, 2])), "0a0bffffffffffffffffff0102");
  assert.equal(hex(packed(1, [])), "0a00");
  assert.equal(hex(float(2, 1)), "150000803f");
  assert.equal(hex(float(2, -1e30)), `15${Buffer.from(Float32Array.of(-1e30).buffer).toString("hex")}`);
});

test("joining keeps order and bytes", () => {
  assert.equal(hex(join([Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)])), "010203");
});

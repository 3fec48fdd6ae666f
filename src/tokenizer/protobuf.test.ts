import assert from "node:assert/strict";
import { test } from "node:test";
import { readFields } from "./protobuf.ts";

const read = (...bytes: number[]) => readFields(Uint8Array.from(bytes), 10);
const reason = (...bytes: number[]) => {
  const result = read(...bytes);
  return result.ok ? "read" : result.reason;
};

test("each wire type, by the examples of the format's description", () => {
  const result = read(0x08, 0x96, 0x01, 0x12, 2, 0x61, 0x62, 0x1d, 1, 2, 3, 4, 0x21, 1, 2, 3, 4, 5, 6, 7, 8);
  assert.ok(result.ok);
  assert.deepEqual(result.value, [
    { number: 1, wire: "varint", low: 150 },
    { number: 2, wire: "bytes", bytes: Uint8Array.of(0x61, 0x62) },
    { number: 3, wire: "fixed32", bytes: Uint8Array.of(1, 2, 3, 4) },
    { number: 4, wire: "fixed64", bytes: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) },
  ]);
});

test("a negative number has ten bytes, of which the low bits are kept", () => {
  const result = read(0x08, ...Array(9).fill(0xff), 0x01);
  const field = result.ok ? result.value[0] : undefined;
  assert.equal(field?.wire === "varint" ? field.low | 0 : undefined, -1);
});

test("what is damaged is refused", () => {
  assert.match(reason(0x08), /a number at byte 1 that does not end/);
  assert.match(reason(0x08, ...Array(11).fill(0xff)), /a number at byte 1 that does not end/);
  assert.match(reason(0x12, 3, 0x61), /3 bytes announced at byte 2, past the end/);
  assert.match(reason(0x12, 0xff, 0xff, 0xff, 0xff, 0x7f), /no length at byte 1/);
  assert.match(reason(0x1d, 1, 2), /4 bytes announced/);
  assert.match(reason(0x0b), /a field of wire type 3 at byte 0/);
  assert.match(reason(0x00, 1), /no field at byte 0/);
  assert.match(reason(...Array(11).fill([0x08, 1]).flat()), /more than 10 fields/);
});

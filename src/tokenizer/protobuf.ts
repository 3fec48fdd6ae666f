// The wire format of protocol buffers: a message as its fields, one after another. What comes in is not trusted: every
// length is held against what is left before it is used. It does not know what any field means. Format:
// https://protobuf.dev/programming-guides/encoding (groups, long out of use, are refused).

import { failure, type Result, success } from "../base/result.ts";

/** A field as it lies in the message; a varint keeps its low 32 bits, which is what int32, bool and enums need. */
export type Field =
  | { readonly number: number; readonly wire: "varint"; readonly low: number }
  | { readonly number: number; readonly wire: "bytes" | "fixed32" | "fixed64"; readonly bytes: Uint8Array };

/** The fields of a message in their order, at most `most` of them. */
export function readFields(message: Uint8Array, most: number): Result<readonly Field[]> {
  const fields: Field[] = [];
  for (let at = 0; at < message.length; ) {
    if (fields.length === most) return failure(`more than ${most} fields`);
    const field = readField(message, at);
    if (typeof field === "string") return failure(field);
    fields.push(field.field);
    at = field.end;
  }
  return success(fields);
}

type Read = { readonly field: Field; readonly end: number };

/** A field and where it ends, or what is wrong with it. */
function readField(message: Uint8Array, at: number): Read | string {
  const key = readVarint(message, at);
  if (key === undefined || key.wide || key.low < 8) return `no field at byte ${at}`;
  const number = key.low >>> 3;
  switch (key.low & 7) {
    case 0: {
      const value = readVarint(message, key.end);
      if (value === undefined) return `a number at byte ${key.end} that does not end`;
      return { field: { number, wire: "varint", low: value.low }, end: value.end };
    }
    case 1:
      return take(message, { number, wire: "fixed64", from: key.end, length: 8 });
    case 2: {
      const length = readVarint(message, key.end);
      if (length === undefined || length.wide) return `no length at byte ${key.end}`;
      return take(message, { number, wire: "bytes", from: length.end, length: length.low });
    }
    case 5:
      return take(message, { number, wire: "fixed32", from: key.end, length: 4 });
    default:
      return `a field of wire type ${key.low & 7} at byte ${at}`;
  }
}

type Place = {
  readonly number: number;
  readonly wire: "bytes" | "fixed32" | "fixed64";
  readonly from: number;
  readonly length: number;
};

function take(message: Uint8Array, { number, wire, from, length }: Place): Read | string {
  if (length > message.length - from) return `${length} bytes announced at byte ${from}, past the end`;
  return { field: { number, wire, bytes: message.subarray(from, from + length) }, end: from + length };
}

type Varint = { readonly low: number; readonly wide: boolean; readonly end: number };

/** Seven bits a byte, lowest first, at most ten bytes; `wide` when it does not fit 32 bits. */
function readVarint(message: Uint8Array, from: number): Varint | undefined {
  let low = 0;
  let wide = false;
  for (let i = 0; i < 10; i++) {
    const byte = message[from + i];
    if (byte === undefined) return undefined;
    const bits = byte & 0x7f;
    if (i < 5) low = (low | (bits << (7 * i))) >>> 0;
    if ((i === 4 && bits > 0x0f) || (i > 4 && bits > 0)) wide = true;
    if (byte < 0x80) return { low, wide, end: from + i + 1 };
  }
  return undefined;
}

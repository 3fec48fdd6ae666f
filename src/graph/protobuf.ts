// The part of the protocol buffer wire format that writing ONNX takes: varints, length-delimited fields, packed
// integers and floats. Format: protobuf's own documentation, "Encoding".

export type Field = Uint8Array;

const encoder = new TextEncoder();

function varint(value: number | bigint): number[] {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  do {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return bytes;
}

/** An integer, enum or bool field. */
export function integer(field: number, value: number | bigint): Field {
  return Uint8Array.from([...varint(field << 3), ...varint(value)]);
}

/** A 32-bit float field. */
export function float(field: number, value: number): Field {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return join([Uint8Array.from(varint((field << 3) | 5)), bytes]);
}

/** A string, bytes or sub-message field. */
export function bytes(field: number, value: string | Uint8Array | readonly Field[]): Field {
  const content =
    typeof value === "string" ? encoder.encode(value) : value instanceof Uint8Array ? value : join(value);
  return join([Uint8Array.from([...varint((field << 3) | 2), ...varint(content.length)]), content]);
}

/** Repeated integers, one after another in one field. */
export function packed(field: number, values: readonly number[]): Field {
  return bytes(field, Uint8Array.from(values.flatMap(varint)));
}

/** Parts joined. */
export function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

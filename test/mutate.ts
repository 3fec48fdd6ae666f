// Damages bytes and JSON the way that broken downloads and ill will do, from a seeded generator.

import type { Random } from "../src/base/random.ts";

const INTEGERS = [
  ...[0n, 1n, 2n, 7n, 8n, 9n, 31n, 127n, 255n, 256n, 65_535n, 65_536n],
  ...[2n ** 20n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n],
];

/** A copy with one to four damages, mostly within the first `front` bytes. */
export function mutateBytes(good: Buffer, random: Random, front: number): Buffer {
  let bytes: Buffer = Buffer.from(good);
  for (let i = random.below(4); i >= 0; i--) {
    const at = random.below(
      Math.max(1, Math.min(random.below(8) === 0 ? bytes.length : front, bytes.length)),
    );
    bytes = damages[random.below(damages.length)]!(bytes, at, random);
  }
  return bytes;
}

type Damage = (bytes: Buffer, at: number, random: Random) => Buffer;

const damages: readonly Damage[] = [
  (bytes, at, random) => {
    if (at < bytes.length) bytes[at] = random.below(256);
    return bytes;
  },
  (bytes, at, random) => {
    if (at < bytes.length) bytes[at]! ^= 1 << random.below(8);
    return bytes;
  },
  (bytes, at, random) => {
    if (at + 8 > bytes.length) return bytes;
    const value = INTEGERS[random.below(INTEGERS.length)]!;
    if (random.below(2) === 0) bytes.writeBigUInt64LE(value, at);
    else bytes.writeUInt32LE(Number(value & 0xffffffffn), at);
    return bytes;
  },
  (bytes, at) => bytes.subarray(0, at),
  (bytes, at, random) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.below(40))]),
  (bytes, at, random) => {
    const from = random.below(bytes.length + 1);
    const piece = bytes.subarray(from, from + random.below(64));
    return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
  },
];

const STRANGE: readonly ((random: Random) => unknown)[] = [
  () => null,
  () => true,
  () => "",
  () => [],
  () => ({}),
  () => -1,
  () => 0,
  () => 0.5,
  () => 1e308,
  () => 2 ** 32,
  () => 4294967295,
  () => Number.MAX_SAFE_INTEGER,
  () => "x".repeat(5000),
  () => "\u0000\u001b[2J\ud800",
  () => "__proto__",
  () => nested(2000),
  (random) => random.below(1000),
  (random) => Array.from({ length: random.below(50) }, () => random.below(10)),
];

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

/** JSON text of a copy in which one to three values were replaced, removed, doubled or renamed. */
export function mutateJson(good: unknown, random: Random): string {
  const copy: unknown = structuredClone(good);
  for (let i = random.below(3); i >= 0; i--) mutateValue(copy, random);
  const text = JSON.stringify(copy);
  if (random.below(8) > 0) return text;
  return mutateBytes(Buffer.from(text), random, text.length).toString("utf8");
}

function mutateValue(root: unknown, random: Random): void {
  let place: unknown = root;
  for (;;) {
    if (typeof place !== "object" || place === null) return;
    const keys = Object.keys(place);
    if (keys.length === 0) return;
    const key = keys[random.below(keys.length)]!;
    const holder = place as Record<string, unknown>;
    const inner = holder[key];
    if (typeof inner === "object" && inner !== null && random.below(4) > 0) {
      place = inner;
      continue;
    }
    const choice = random.below(5);
    if (choice === 0) delete holder[key];
    else if (choice === 1) holder[`${key}x`] = inner;
    else if (choice === 2) holder[key] = holder[keys[random.below(keys.length)]!];
    else holder[key] = STRANGE[random.below(STRANGE.length)]!(random);
    return;
  }
}

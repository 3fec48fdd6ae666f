// For tests only: ways in which a stream of bytes can go wrong, each drawn from a seeded generator.

import type { Random } from "../../src/base/random.ts";

type Way = (bytes: Buffer, random: Random) => Buffer;

function place(bytes: Buffer, random: Random): number {
  return random.below(Math.max(1, bytes.length));
}

/** A span of up to 200 bytes: where it begins and ends. */
function span(bytes: Buffer, random: Random): [number, number] {
  const start = place(bytes, random);
  return [start, Math.min(bytes.length, start + 1 + random.below(200))];
}

function change(bytes: Buffer, random: Random, to: (byte: number) => number): Buffer {
  const copy = Buffer.from(bytes);
  const at = place(bytes, random);
  if (at < copy.length) copy[at] = to(copy[at]!);
  return copy;
}

function splice(bytes: Buffer, at: readonly [number, number], inner: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at[0]), inner, bytes.subarray(at[1])]);
}

const DIGITS = "0123456789abcdef";

/** Every way, by name. */
export const ways: Readonly<Record<string, Way>> = {
  cut: (bytes, random) => bytes.subarray(0, place(bytes, random)),
  "lose the beginning": (bytes, random) => bytes.subarray(place(bytes, random)),
  "flip a bit": (bytes, random) => change(bytes, random, (byte) => byte ^ (1 << random.below(8))),
  "flip many bits": (bytes, random) => {
    let damaged = bytes;
    for (let i = 0; i < 8; i++) damaged = change(damaged, random, (byte) => byte ^ (1 << random.below(8)));
    return damaged;
  },
  "a NUL in place of a byte": (bytes, random) => change(bytes, random, () => 0),
  "a newline in place of a byte": (bytes, random) => change(bytes, random, () => 10),
  "a digit in place of another": (bytes, random) =>
    change(bytes, random, (byte) =>
      DIGITS.includes(String.fromCharCode(byte)) ? DIGITS.charCodeAt(random.below(16)) : byte,
    ),
  "put NULs between": (bytes, random) => {
    const at = place(bytes, random);
    return splice(bytes, [at, at], Buffer.alloc(1 + random.below(4)));
  },
  "lose a span": (bytes, random) => splice(bytes, span(bytes, random), Buffer.alloc(0)),
  "say a span twice": (bytes, random) => {
    const [start, end] = span(bytes, random);
    return splice(bytes, [end, end], bytes.subarray(start, end));
  },
  "say a span elsewhere": (bytes, random) => {
    const [start, end] = span(bytes, random);
    const at = place(bytes, random);
    return splice(bytes, [at, at], bytes.subarray(start, end));
  },
  "noise in place of a span": (bytes, random) => {
    const at = span(bytes, random);
    return splice(bytes, at, Buffer.from(Array.from({ length: at[1] - at[0] }, () => random.below(256))));
  },
  "two at once": (bytes, random) => {
    const half = place(bytes, random);
    const [one, two] = [bytes.subarray(0, half), bytes.subarray(half)];
    const parts: Buffer[] = [];
    for (let at = 0; at < Math.max(one.length, two.length); at += 64) {
      parts.push(one.subarray(at, at + 64), two.subarray(at, at + 64));
    }
    return Buffer.concat(parts);
  },
  "a line at another place": (bytes, random) => {
    const start = bytes.indexOf(10, place(bytes, random)) + 1;
    const end = bytes.indexOf(10, start) + 1 || bytes.length;
    const at = bytes.indexOf(10, place(bytes, random)) + 1;
    const line = bytes.subarray(start, end);
    return splice(bytes, [at, at], line);
  },
};

/** The bytes damaged in one way, and its name. */
export function damage(bytes: Buffer, random: Random): { readonly way: string; readonly bytes: Buffer } {
  const names = Object.keys(ways);
  const way = names[random.below(names.length)]!;
  return { way, bytes: ways[way]!(bytes, random) };
}

// Byte-level BPE writes every byte as one printable letter: bytes that are printable in Latin-1 as themselves, the
// others as the letters from U+0100 on. Source: `bytes_to_unicode` of GPT-2's encoder.py.

import { isUtf8 } from "node:buffer";

const letterOfByte: readonly string[] = makeLetters();

/** The 256 letters by code point, the order in which trainers number them. */
export const byteLetters: readonly string[] = [...letterOfByte].sort((a, b) => (a < b ? -1 : 1));

/** A text's UTF-8 bytes, each as its letter. */
export function toByteLetters(text: string): string[] {
  return Array.from(Buffer.from(text), (byte) => letterOfByte[byte]!);
}

const byteOfLetter: ReadonlyMap<string, number> = new Map(letterOfByte.map((letter, byte) => [letter, byte]));

/** The text that letters stand for; undefined where they are no whole characters, or other letters. */
export function textOfByteLetters(letters: string): string | undefined {
  const bytes = Array.from(letters, (letter) => byteOfLetter.get(letter) ?? -1);
  const buffer = Buffer.from(bytes);
  return bytes.includes(-1) || !isUtf8(buffer) ? undefined : buffer.toString("utf8");
}

function makeLetters(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
}

function isPrintable(byte: number): boolean {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

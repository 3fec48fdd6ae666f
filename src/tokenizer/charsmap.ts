// The normaliser's table in a SentencePiece model: a trie from bytes to replacements. Here it is only checked, because
// the library that follows it looks into the table without asking whether a place exists, and ends the process where
// none does. Format: u32 size of the trie in bytes, the trie as a double array of u32 (Yata, darts-clone), then the
// replacements, UTF-8 ended by NUL (google/sentencepiece:src/normalizer.cc, huggingface/spm_precompiled).

import { isUtf8 } from "node:buffer";

const MOST_BYTES = 4 * 1024 * 1024;
/** The highest byte that UTF-8 has. */
const HIGHEST_BYTE = 0xf4;

/** Why a table cannot be followed safely for every text, as part of a sentence; `undefined` when it can. */
export function charsmapProblem(table: Uint8Array): string | undefined {
  if (table.length > MOST_BYTES) return `a normaliser table of ${table.length} bytes`;
  if (table.length < 4) return "a normaliser table that is cut off";
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  const size = view.getUint32(0, true);
  if (size === 0 || size % 4 !== 0 || size > table.length - 4)
    return `a normaliser table whose trie has ${size} of ${table.length - 4} bytes`;
  const texts = table.subarray(4 + size);
  if (!isUtf8(texts)) return "replacements in the normaliser table that are not UTF-8";
  const units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  return trieProblem(units, texts);
}

/** Follows every path that bytes of some text can take. */
function trieProblem(units: Uint32Array, texts: Uint8Array): string | undefined {
  const seen = new Uint8Array(units.length);
  const todo = [offset(units[0]!)];
  for (let base = todo.pop(); base !== undefined; base = todo.pop()) {
    for (let byte = 1; byte <= HIGHEST_BYTE; byte++) {
      const unit = units[base ^ byte];
      if (unit === undefined) return "a normaliser table with a path that leads out of it";
      if (label(unit) !== byte) continue;
      const next = base ^ byte ^ offset(unit);
      if (hasLeaf(unit) && !isText(texts, units[next])) {
        return "a normaliser table with a replacement that lies outside";
      }
      if (next >= units.length) return "a normaliser table with a path that leads out of it";
      if (seen[next] === 0) todo.push(next);
      seen[next] = 1;
    }
  }
  return undefined;
}

/** Whether a leaf points at the beginning of a character, or just behind the last. */
function isText(texts: Uint8Array, leaf: number | undefined): boolean {
  if (leaf === undefined) return false;
  const at = leaf & 0x7fff_ffff;
  return at === texts.length || (at < texts.length && (texts[at]! & 0xc0) !== 0x80);
}

function hasLeaf(unit: number): boolean {
  return ((unit >>> 8) & 1) === 1;
}

/** A byte, or a number above all bytes for a leaf's value. */
function label(unit: number): number {
  return (unit & 0x8000_00ff) >>> 0;
}

function offset(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

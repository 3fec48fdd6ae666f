// What would make the tokenizers library end the whole process, refused before it sees it: a fault in Rust code that
// Node cannot catch.

import { UserError } from "../base/errors.ts";
import { showValue } from "../base/show.ts";
import { charsmapProblem } from "./charsmap.ts";

type Json = Readonly<Record<string, unknown>>;

/** Throws a `UserError` for a parsed tokenizer.json with which the library cannot be trusted. */
export function requireSafe(json: Json, model: Json): void {
  requirePrefix(model);
  requireUnigram(model);
  requireCharsmaps(json.normalizer, 0);
}

/** The library cuts the prefix off the right half of every merge. */
function requirePrefix({ continuing_subword_prefix: prefix, merges }: Json): void {
  if (typeof prefix !== "string" || prefix === "" || !Array.isArray(merges)) return;
  const right = (merge: unknown) => {
    const parts = typeof merge === "string" ? merge.split(" ") : merge;
    return Array.isArray(parts) ? String(parts[1]) : "";
  };
  if (merges.every((merge) => right(merge).startsWith(prefix))) return;
  throw damaged(
    `merges whose right half starts with the continuing_subword_prefix ${showValue(prefix)}`,
    "others",
  );
}

function requireUnigram({ vocab, unk_id: unknown }: Json): void {
  if (!Array.isArray(vocab)) return;
  const odd = vocab.find((pair) => !isPair(pair));
  if (odd !== undefined) throw damaged("pairs of piece and score in the vocab", showValue(odd));
  if (unknown === undefined || unknown === null) return;
  if (typeof unknown === "number" && Number.isInteger(unknown) && vocab[unknown] !== undefined) return;
  throw damaged(`an unk_id below ${vocab.length}`, showValue(unknown));
}

function isPair(pair: unknown): boolean {
  if (!Array.isArray(pair) || pair.length !== 2) return false;
  return typeof pair[0] === "string" && pair[0] !== "" && Number.isFinite(pair[1]);
}

const DEEPEST = 8;

/** A normaliser, or a sequence of them. */
function requireCharsmaps(normalizer: unknown, depth: number): void {
  if (typeof normalizer !== "object" || normalizer === null) return;
  if (depth > DEEPEST) throw damaged(`normalizers at most ${DEEPEST} deep`, "deeper ones");
  const { normalizers, precompiled_charsmap: table } = normalizer as Json;
  if (Array.isArray(normalizers)) for (const one of normalizers) requireCharsmaps(one, depth + 1);
  if (typeof table !== "string") return;
  const problem = charsmapProblem(Buffer.from(table, "base64"));
  if (problem !== undefined) throw damaged("a normaliser table that can be followed", problem);
}

function damaged(expected: string, found: string): UserError {
  return new UserError(`Expected ${expected} in tokenizer.json, found ${found}: the file is damaged`);
}

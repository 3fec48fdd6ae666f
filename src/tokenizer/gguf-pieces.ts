// The SentencePiece tokenizer in a GGUF file's metadata (`tokenizer.ggml.model` = t5 or llama), as the files of a model
// folder. Keys and what the converter does to T5's sentinels: llama.cpp:convert_hf_to_gguf.py; the other way round:
// transformers:src/transformers/integrations/gguf/gguf_tokenizer_mapping.py.

import { UserError } from "../base/errors.ts";
import { showText, showValue } from "../base/show.ts";
import { charsmapProblem } from "./charsmap.ts";
import { type Metadata, mergePair, namesOf, texts } from "./gguf-metadata.ts";
import { mergesOf } from "./merges.ts";
import { PIECE, type Piece, type SentencePieceModel } from "./sentencepiece.ts";
import { type Conversion, sentencePieceFiles } from "./sentencepiece-json.ts";

/** Kinds of tokenizer in GGUF files that are read here, and whose they are. */
export const PIECE_MODELS = { t5: "t5", llama: "llama" } as const;

/** The files that the metadata amounts to; throws a `UserError` where it is not complete. */
export function filesFromPieces(
  metadata: Metadata,
  family: keyof typeof PIECE_MODELS,
): ReturnType<typeof sentencePieceFiles> {
  const pieces = readPieces(metadata);
  const unkId = metadata["tokenizer.ggml.unknown_token_id"] ?? pieces.findIndex(isUnknown);
  if (typeof unkId !== "number" || pieces[unkId] === undefined) {
    throw damaged("tokenizer.ggml.unknown_token_id below the number of tokens", showValue(unkId));
  }
  const kind = family === "t5" ? "unigram" : "bpe";
  const model: SentencePieceModel = { kind, pieces, unkId, charsmap: readCharsmap(metadata) };
  return sentencePieceFiles(family === "t5" ? withSentinels(model) : model, {
    family,
    config: configOf(metadata, family),
    ...(family === "llama" ? { merges: readMerges(metadata, pieces) } : {}),
  });
}

function readPieces(metadata: Metadata): Piece[] {
  const tokens = texts(metadata, "tokenizer.ggml.tokens");
  const scores = metadata["tokenizer.ggml.scores"];
  const types = metadata["tokenizer.ggml.token_type"];
  if (!isNumbers(scores, tokens.length))
    throw damaged("one of tokenizer.ggml.scores for each token", "others");
  if (!isNumbers(types, tokens.length))
    throw damaged("one of tokenizer.ggml.token_type for each token", "others");
  const seen = new Set<string>();
  for (const token of tokens) {
    if (token === "" || seen.has(token)) throw damaged("tokens that differ", `"${showText(token)}" twice`);
    seen.add(token);
  }
  return tokens.map((piece, id) => ({ piece, score: scores[id]!, type: types[id]! }));
}

function isNumbers(value: unknown, length: number): value is readonly number[] {
  return Array.isArray(value) && value.length === length && value.every(Number.isFinite);
}

function isUnknown({ type }: Piece): boolean {
  return type === PIECE.unknown;
}

/** Up to the embedding's rows the converter fills up with [PADn]; the first hundred of them are T5's sentinels. */
function withSentinels(model: SentencePieceModel): SentencePieceModel {
  const { pieces } = model;
  let end = pieces.length;
  while (end > 0 && isPadding(pieces[end - 1]!)) end--;
  const sentinels = Math.min(100, pieces.length - end);
  const extra = Array.from({ length: sentinels }, (_, i) => ({
    piece: `<extra_id_${sentinels - 1 - i}>`,
    score: 0,
    type: PIECE.control,
  }));
  return { ...model, pieces: [...pieces.slice(0, end), ...extra] };
}

function isPadding({ piece, type }: Piece): boolean {
  return type === PIECE.unused && /^\[PAD\d+\]$/.test(piece);
}

function readMerges(metadata: Metadata, pieces: readonly Piece[]): NonNullable<Conversion["merges"]> {
  if (metadata["tokenizer.ggml.merges"] !== undefined) {
    return texts(metadata, "tokenizer.ggml.merges").map(mergePair);
  }
  return mergesOf(
    pieces.map(({ piece }) => piece),
    pieces.map(({ score }) => score),
  );
}

function readCharsmap(metadata: Metadata): Uint8Array | undefined {
  const bytes = metadata["tokenizer.ggml.precompiled_charsmap"];
  if (bytes === undefined) return undefined;
  const isByte = (byte: unknown) =>
    typeof byte === "number" && Number.isInteger(byte) && byte >= -128 && byte < 256;
  if (!Array.isArray(bytes) || !bytes.every(isByte)) {
    throw damaged("bytes in tokenizer.ggml.precompiled_charsmap", "others");
  }
  const table = Uint8Array.from(bytes as number[]);
  const problem = table.length === 0 ? undefined : charsmapProblem(table);
  if (problem !== undefined) throw damaged("a normaliser table that can be followed", problem);
  return table.length === 0 ? undefined : table;
}

function configOf(metadata: Metadata, family: keyof typeof PIECE_MODELS): Record<string, unknown> {
  const bos = metadata["tokenizer.ggml.add_bos_token"];
  return {
    ...namesOf(metadata),
    // Sentinels stand in the file or not at all.
    ...(family === "t5" ? { extra_ids: 0 } : { add_bos_token: typeof bos === "boolean" ? bos : true }),
    ...(metadata["tokenizer.ggml.add_space_prefix"] === false ? { add_prefix_space: false } : {}),
  };
}

function damaged(expected: string, found: string): UserError {
  return new UserError(
    `Expected ${expected} in the GGUF file, found ${found}: the file carries no complete tokenizer`,
  );
}

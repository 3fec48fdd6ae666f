// A SentencePiece model (spiece.model, tokenizer.model) as plain data: pieces with scores and types, and the parts of
// the trainer's and normaliser's settings that decide how text is cut. The file is not trusted. It does not know how a
// model family uses it. Format: google/sentencepiece:src/sentencepiece_model.proto.

import { isUtf8 } from "node:buffer";
import { UserError } from "../base/errors.ts";
import { showText } from "../base/show.ts";
import { charsmapProblem } from "./charsmap.ts";
import { type Field, readFields } from "./protobuf.ts";

/** Types of pieces, as the format numbers them. */
export const PIECE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

export type Piece = { readonly piece: string; readonly score: number; readonly type: number };

export type SentencePieceModel = {
  readonly kind: "unigram" | "bpe";
  /** In the order of their ids. */
  readonly pieces: readonly Piece[];
  readonly unkId: number;
  /** The normaliser's table, `undefined` where it has none. */
  readonly charsmap: Uint8Array | undefined;
};

const LIMITS = { pieces: 1_048_576, pieceBytes: 4096, fields: 4096 } as const;

const KINDS: Readonly<Record<number, SentencePieceModel["kind"]>> = { 1: "unigram", 2: "bpe" };

/** The model in the bytes of the file `name`; throws a `UserError` that says what is wrong with it. */
export function readSentencePiece(name: string, bytes: Uint8Array): SentencePieceModel {
  const damaged = (found: string) =>
    new UserError(
      `Expected a SentencePiece model in ${name}, found ${found}: the file is damaged or of another kind, get it again`,
    );
  const fields = (message: Uint8Array, most: number): readonly Field[] => {
    const result = readFields(message, most);
    if (!result.ok) throw damaged(result.reason);
    return result.value;
  };
  const top = fields(bytes, LIMITS.pieces + LIMITS.fields);
  const trainer = fields(lastBytes(top, 2), LIMITS.fields);
  const normalizer = fields(lastBytes(top, 3), LIMITS.fields);
  const pieces = allBytes(top, 1).map((message) => readPiece(fields(message, LIMITS.fields), damaged));
  const kind = KINDS[int32(trainer, 3, 1)];
  if (kind === undefined) throw damaged("a model that is neither Unigram nor BPE");
  const unkId = int32(trainer, 40, 0);
  requirePieces(pieces, unkId, damaged);
  const charsmap = lastBytes(normalizer, 2);
  const problem = charsmap.length === 0 ? undefined : charsmapProblem(charsmap);
  if (problem !== undefined) throw damaged(problem);
  return { kind, pieces, unkId, charsmap: charsmap.length === 0 ? undefined : charsmap };
}

type Damaged = (found: string) => UserError;

function readPiece(fields: readonly Field[], damaged: Damaged): Piece {
  const bytes = lastBytes(fields, 1);
  if (bytes.length > LIMITS.pieceBytes) throw damaged(`a piece of ${bytes.length} bytes`);
  if (!isUtf8(bytes)) throw damaged("a piece that is not UTF-8");
  const score = fields.findLast((field) => field.number === 2 && field.wire === "fixed32");
  return {
    piece: Buffer.from(bytes).toString("utf8"),
    score: float32(score),
    type: int32(fields, 3, PIECE.normal),
  };
}

/** What sentencepiece itself asks of a model, and scores that can be compared. */
function requirePieces(pieces: readonly Piece[], unkId: number, damaged: Damaged): void {
  const seen = new Set<string>();
  for (const { piece, score } of pieces) {
    if (piece === "") throw damaged("an empty piece");
    if (seen.has(piece)) throw damaged(`the piece ${showText(piece)} twice`);
    if (!Number.isFinite(score)) throw damaged(`the score ${score} for the piece ${showText(piece)}`);
    seen.add(piece);
  }
  if (pieces.length > LIMITS.pieces) throw damaged(`${pieces.length} pieces`);
  if (pieces[unkId] === undefined) throw damaged(`${unkId} as the unknown one of ${pieces.length} pieces`);
}

function allBytes(fields: readonly Field[], number: number): Uint8Array[] {
  return fields.flatMap((field) => (field.number === number && field.wire === "bytes" ? [field.bytes] : []));
}

/** A field that is given twice counts as given last. */
function lastBytes(fields: readonly Field[], number: number): Uint8Array {
  return allBytes(fields, number).at(-1) ?? new Uint8Array(0);
}

function int32(fields: readonly Field[], number: number, fallback: number): number {
  const field = fields.findLast((one) => one.number === number && one.wire === "varint");
  return field?.wire === "varint" ? field.low | 0 : fallback;
}

function float32(field: Field | undefined): number {
  if (field?.wire !== "fixed32") return 0;
  return new DataView(field.bytes.buffer, field.bytes.byteOffset, 4).getFloat32(0, true);
}

// The names of the 256 bytes, as byte fallback spells them (google/sentencepiece:src/model_interface.cc, ByteToPiece).

export const bytePieces: readonly string[] = Array.from(
  { length: 256 },
  (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
);

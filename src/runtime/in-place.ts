// Outputs that stay where they were written. After a run onnxruntime-node copies every output into an array of its own,
// also one for which a buffer was given (onnxruntime:js/node/src/tensor_helper.cc, OrtValueToNapiValue): of a block that
// keeps 18 MB a sixth of its time. It converts outputs in order and refuses a sequence, so a program whose first output
// is an empty sequence ends with that refusal when all is computed and nothing is copied yet.

/** The first output of a marked program. */
export const MARK = "(in place)";

/** A message of the protocol buffer format under its field number: contents shorter than 128 bytes. */
function field(number: number, ...content: readonly (Uint8Array | string)[]): Uint8Array {
  const parts = content.map((part) => (typeof part === "string" ? Buffer.from(part) : part));
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  return Buffer.concat([Uint8Array.of((number << 3) | 2, size), ...parts]);
}

// ModelProto.graph = 7 with a node = 1 (output = 2, name = 3, op_type = 4) and an output = 12 whose type = 2 is a
// sequence_type = 4 of tensors = 1 of floats.
const FLOAT = Uint8Array.of(1 << 3, 1);
const NODE = field(1, field(2, MARK), field(3, MARK), field(4, "SequenceEmpty"));
const OUTPUT = field(12, field(1, MARK), field(2, field(4, field(1, field(1, FLOAT)))));
const PREFIX = field(7, NODE, OUTPUT);

/** The same model with that output in front: parts of a message that come one after another are merged in order. */
export function marked(onnx: Uint8Array): Uint8Array {
  return Buffer.concat([PREFIX, onnx]);
}

/** Whether an error of a marked program's run says that it has come to its end. */
export function isEnd(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("Non tensor type is temporarily not supported");
}

// A program: ONNX bytes plus the names, dtypes and shapes of what goes in and comes out. The only form in which
// a graph leaves this folder; its outputs still know what makes them, for who wants to print it.

import type { Outputs } from "./names.ts";
import type { Spec } from "./tensor.ts";

export type Program = {
  readonly name: string;
  readonly inputs: Readonly<Record<string, Spec>>;
  readonly outputs: Outputs;
  /** Serialized ONNX `ModelProto`. */
  readonly onnx: Uint8Array;
};

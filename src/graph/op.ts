// What an operator is: one object with its ONNX name, its attributes, its shape rule, its gradient and sample
// inputs for the finite-difference test. Adding an operator is adding one object to a family file in `ops`.

import type { Attributes, Spec, Tensor } from "./tensor.ts";

/** Makes a node by operator name and gives its first output; what gradient rules build with. */
export type Apply = (op: string, inputs: readonly Tensor[], attributes?: Attributes) => Tensor;

export type GradientContext = {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly attributes: Attributes;
  /** Gradient of the first output that has one. */
  readonly dy: Tensor;
  /** Gradients of all outputs, by their index; `undefined` where nothing depends on one. */
  readonly dys: readonly (Tensor | undefined)[];
  readonly apply: Apply;
};

/** One entry for each input: its gradient, or `null` where none flows (indices, masks, axes). */
export type GradientRule = (context: GradientContext) => readonly (Tensor | null)[];

/**
 * What an input must be: `T` any dtype and `F` a float, the same for all of that letter in one node; or a dtype. A
 * `?` marks one that may be left out, `...` one that repeats.
 */
export type InputKind = `${"T" | "F" | "bool" | "uint8" | "int8" | "int32" | "int64"}${"" | "?" | "..."}`;

/** Type of an attribute; a `?` marks one that may be left out. */
export type AttributeKind = `${"int" | "ints" | "float" | "string"}${"" | "?"}`;

export type Sample = { readonly inputs: readonly Tensor[]; readonly attributes?: Attributes };

export type Op = {
  /** The ONNX operator's own name. */
  readonly name: string;
  readonly domain: "" | "com.microsoft";
  readonly inputs: readonly InputKind[];
  readonly attributes: Readonly<Record<string, AttributeKind>>;
  /** Specs of the outputs; throws an `Error` that says what does not fit. */
  readonly shape: (inputs: readonly Tensor[], attributes: Attributes) => readonly Spec[];
  readonly gradient: GradientRule | NoGradient | StoppedGradient;
  readonly samples: () => readonly Sample[];
};

/** Stands where a gradient rule would, with the reason why there is none. */
export type NoGradient = { readonly none: string };

export function none(reason: string): NoGradient {
  return { none: reason };
}

/** Stands there where what flows back ends by intent: the output is held to be a constant. */
export type StoppedGradient = { readonly stops: string };

export function stops(reason: string): StoppedGradient {
  return { stops: reason };
}

/** Shape of two operands after NumPy's broadcasting. */
export function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1)
      throw new Error(`Expected shapes that broadcast, found [${a}] and [${b}]`);
    return x === 1 ? y : x;
  });
}

/** An axis counted from the end made one counted from the start. */
export function positiveAxis(axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (positive < 0 || positive >= rank) throw new Error(`Expected an axis below ${rank}, found ${axis}`);
  return positive;
}

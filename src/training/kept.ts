// What a forward pass keeps for its backward pass: nothing, so that all is computed again; or what was dear to compute.
// Knows operators by name, no network.

import { sizeOf } from "../base/dtype.ts";
import type { KeepRule } from "../graph/rewrite.ts";
import type { Node, Tensor } from "../graph/tensor.ts";

/**
 * `nothing`; `attention`: what attention over a long sequence gives, which is small and dear, and next to nothing else;
 * `narrow`: results of products that are about as wide as what goes in, not those inside a feed-forward layer; `linear`:
 * these as well, but not attention's scores and probabilities, whose size grows with the square of the length; `all`:
 * these too.
 */
export type Keeping = "nothing" | "attention" | "narrow" | "linear" | "all";

const DEAR = new Set(["Gemm", "MatMulIntegerToFloat", "RotaryEmbedding", "Split", "Transpose"]);

export type Bits = {
  /** Whether what a block keeps is held in 16 bits; f32 when not given. */
  readonly halved?: boolean | undefined;
  /**
   * Beside 16 bits, where all blocks keep: every block keeps its input as well, so that none is held elsewhere, matrices go
   * on eight bits, and of so many parts of its rows also what is wide. Not so when not given.
   */
  readonly staying?: number | undefined;
};

export function bitsOf({ halved = false, staying }: Bits): Bits {
  return { halved, staying };
}

/**
 * A rule for `cutForward`, for a stage whose input has so many values; `aside` is what was computed in order to be kept.
 */
export function keepRule(
  keeping: Keeping,
  values: number,
  { halved, staying, aside = [] }: Bits & { readonly aside?: readonly Tensor[] } = {},
): KeepRule {
  const own = new Set<unknown>(aside.map(({ source }) => source));
  const keepsAny = keeper(keeping, values);
  const keeps: KeepRule["keeps"] = (tensor, node) => own.has(node) || keepsAny(tensor, node);
  // Logarithms of sums and the like are short and stay f32.
  const isLong = ({ dtype, shape }: Tensor) => dtype === "float32" && sizeOf(shape) > values / 16;
  if (!halved) return { keeps };
  if (staying === undefined) return { keeps, halved: isLong };
  return { keeps, halved: isLong, rounded: (tensor) => tensor.shape.length === 2 && isLong(tensor) };
}

function keeper(keeping: Keeping, values: number): KeepRule["keeps"] {
  return (tensor, node) => {
    if (keeping === "nothing" || tensor.dtype !== "float32") return false;
    // Row factors and the like: next to no memory.
    if (sizeOf(tensor.shape) <= values / (keeping === "attention" ? 64 : 16)) return true;
    if (isMarked(node)) return true;
    if (keeping === "attention" || (keeping === "narrow" && sizeOf(tensor.shape) > 2 * values)) return false;
    if (node.op === "Softmax") return keeping === "all";
    // A product that is larger than what goes in is one of scores: they live on as probabilities only.
    if (node.op === "MatMul") return sizeOf(tensor.shape) <= sizeOf(node.inputs[0]!.shape);
    return DEAR.has(node.op) && !isMoved(node);
  };
}

/** What does nothing and stands in nobody's way back was put there to say that a value is dear (models/long-attention.ts). */
function isMarked({ op, pullback }: Node): boolean {
  return op === "Identity" && pullback === undefined;
}

/** Whether a node only puts the values of a marked one, which is kept, in another order. */
function isMoved({ op, inputs }: Node): boolean {
  const source = inputs[0]?.source;
  if (!["Transpose", "Reshape", "Identity"].includes(op) || source?.kind !== "node") return false;
  return isMarked(source) || isMoved(source);
}

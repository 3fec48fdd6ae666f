// What a forward pass keeps for its backward pass: nothing, so that all is computed again; or what was dear to compute.
// Knows operators by name, no network.

import { sizeOf } from "../base/dtype.ts";
import type { Node, Tensor } from "../graph/tensor.ts";

/**
 * `nothing`; `linear`: results of products, but not attention's scores and probabilities, whose size grows with the
 * square of the length; `all`: these too.
 */
export type Keeping = "nothing" | "linear" | "all";

const DEAR = new Set(["Gemm", "MatMulIntegerToFloat", "RotaryEmbedding", "Split", "Transpose"]);

/** A rule for `cutForward`, for a stage whose input has so many values. */
export function keepRule(keeping: Keeping, values: number): (tensor: Tensor, node: Node) => boolean {
  return (tensor, node) => {
    if (keeping === "nothing" || tensor.dtype !== "float32") return false;
    // Row factors and the like: next to no memory.
    if (sizeOf(tensor.shape) <= values / 16) return true;
    if (node.op === "Softmax") return keeping === "all";
    // A product that is larger than what goes in is one of scores: they live on as probabilities only.
    if (node.op === "MatMul") return sizeOf(tensor.shape) <= sizeOf(node.inputs[0]!.shape);
    return DEAR.has(node.op);
  };
}

// A LoRA as the matrix that it adds: W + s·BA as numbers, for merging and for what is computed once beforehand.

import type { Adapter, LoraConfig } from "./adapter.ts";
import { loraScale } from "./lora.ts";

/** W + s·BA [out, in] of one module by its full name; `weight` stays as it is. */
export function merged(
  { config, arrays }: Adapter<LoraConfig>,
  module: string,
  weight: Float32Array,
): Float32Array {
  const a = arrays.get(`${module}.lora_A.weight`)!;
  const b = arrays.get(`${module}.lora_B.weight`)!;
  const [rank, inner] = a.shape as [number, number];
  const scale = loraScale(config);
  const sum = weight.slice();
  for (let row = 0; row < b.shape[0]!; row++) {
    const into = sum.subarray(row * inner, (row + 1) * inner);
    for (let k = 0; k < rank; k++) {
      const factor = scale * b.data[row * rank + k]!;
      if (factor !== 0) addScaled(into, a.data.subarray(k * inner, (k + 1) * inner), factor);
    }
  }
  return sum;
}

function addScaled(into: Float32Array, from: Float32Array, factor: number): void {
  for (let i = 0; i < into.length; i++) into[i]! += factor * from[i]!;
}

// Llama 3.1's settings of stretched rotary positions, found again from what llama.cpp's converter makes of them: one
// divisor for each frequency. Source: `generate_extra_tensors` of convert_hf_to_gguf.py.

import { UserError } from "../base/errors.ts";

type Rope = { readonly head_dim: number; readonly rope_theta: number; readonly path: string };

/** The ones that every published model has. */
const LOW = 1;
const HIGH = 4;

/** `rope_scaling` as config.json has it; throws a `UserError` when the divisors are of another kind. */
export function llama3Scaling(divisors: Float32Array, rope: Rope): Record<string, unknown> {
  const factor = divisors.reduce((most, divisor) => Math.max(most, divisor), 1);
  const waves = Array.from(divisors, (_, i) => 2 * Math.PI * rope.rope_theta ** ((2 * i) / rope.head_dim));
  for (const context of contexts(divisors, { waves, factor })) {
    const fits = waves.every((wave, i) => {
      const wanted = divisorOf(wave, { context, factor });
      return Math.abs(divisors[i]! - wanted) <= 1e-4 * wanted;
    });
    if (fits) {
      return {
        rope_type: "llama3",
        factor,
        low_freq_factor: LOW,
        high_freq_factor: HIGH,
        original_max_position_embeddings: context,
      };
    }
  }
  throw new UserError(
    `Expected rotary positions stretched as Llama 3.1 does in ${rope.path}, found other divisors in rope_freqs.weight: give the model's folder in Hugging Face layout`,
  );
}

/** Lengths of the original training that a blended divisor stands for, or those published. */
function contexts(
  divisors: Float32Array,
  { waves, factor }: { waves: readonly number[]; factor: number },
): number[] {
  const blended = Array.from(divisors.keys()).filter(
    (i) => divisors[i]! > 1.001 && divisors[i]! < factor * 0.999,
  );
  const found = blended.map((i) => {
    const smooth = (1 / divisors[i]! - 1 / factor) / (1 - 1 / factor);
    return Math.round(waves[i]! * (smooth * (HIGH - LOW) + LOW));
  });
  return [8192, ...new Set(found)].filter((context) => context >= 1 && context <= 2 ** 26);
}

function divisorOf(wave: number, { context, factor }: { context: number; factor: number }): number {
  if (wave < context / HIGH) return 1;
  if (wave > context / LOW) return factor;
  const smooth = (context / wave - LOW) / (HIGH - LOW);
  return 1 / ((1 - smooth) / factor + smooth);
}

// Rotary positions: their settings in config.json and the frequencies that follow, plain or stretched as Llama 3.1
// stretches them. Source: transformers:src/transformers/modeling_rope_utils.py.

import { UserError } from "../base/errors.ts";
import { type ConfigFile, integerOf, numberOf, refuse } from "./config.ts";

/** Llama 3.1: low frequencies are divided by `factor`, high ones stay, those between are blended. */
export type RopeScaling = {
  readonly rope_type: "llama3";
  readonly factor: number;
  readonly low_freq_factor: number;
  readonly high_freq_factor: number;
  readonly original_max_position_embeddings: number;
};

export type RopeConfig = {
  readonly head_dim: number;
  readonly rope_theta: number;
  readonly rope_scaling: RopeScaling | null;
};

/** The settings, at the top or, as transformers 5 keeps them, in `rope_parameters`; other scalings are refused. */
export function parseRope(file: ConfigFile, positions: number): Omit<RopeConfig, "head_dim"> {
  refuse(file, "partial_rotary_factor", [1, null]);
  const rope = objectOf(file, file.rope_parameters == null ? "rope_scaling" : "rope_parameters");
  refuse(rope, "partial_rotary_factor", [1, null]);
  refuse(rope, "rope_type", ["default", "llama3"]);
  refuse(rope, "type", ["default", "llama3"]);
  const rope_theta = numberOf({ rope_theta: file.rope_theta ?? rope.rope_theta }, "rope_theta", 10000);
  if ((rope.rope_type ?? rope.type) !== "llama3") return { rope_theta, rope_scaling: null };
  const rope_scaling: RopeScaling = {
    rope_type: "llama3",
    factor: numberOf(rope, "factor"),
    low_freq_factor: numberOf(rope, "low_freq_factor"),
    high_freq_factor: numberOf(rope, "high_freq_factor"),
    original_max_position_embeddings: integerOf(rope, "original_max_position_embeddings", positions),
  };
  if (rope_scaling.high_freq_factor > rope_scaling.low_freq_factor) return { rope_theta, rope_scaling };
  throw new UserError(
    `Expected high_freq_factor above low_freq_factor in the model's config, found ${rope_scaling.high_freq_factor} and ${rope_scaling.low_freq_factor}`,
  );
}

function objectOf(file: ConfigFile, key: string): ConfigFile {
  const value = file[key] ?? {};
  if (typeof value === "object" && !Array.isArray(value)) return value as ConfigFile;
  throw new UserError(`Expected an object for ${key} in the model's config, found a ${typeof value}`);
}

/** Radians a position of each pair, [head_dim / 2]; every step rounded to f32 as in the reference, for at long
 * positions that shows. */
export function ropeFrequencies({ head_dim, rope_theta, rope_scaling }: RopeConfig): Float32Array {
  const plain = Float32Array.from(
    { length: head_dim / 2 },
    (_, i) => 1 / Math.fround(rope_theta ** ((2 * i) / head_dim)),
  );
  return rope_scaling === null ? plain : plain.map((frequency) => stretched(frequency, rope_scaling));
}

function stretched(frequency: number, scaling: RopeScaling): number {
  const { factor, low_freq_factor: low, high_freq_factor: high } = scaling;
  const context = scaling.original_max_position_embeddings;
  const wave = Math.fround((2 * Math.PI) / frequency);
  const divided = Math.fround(frequency / factor);
  if (wave > context / low) return divided;
  if (wave < context / high) return frequency;
  const smooth = Math.fround(Math.fround(Math.fround(context / wave) - low) / (high - low));
  const slow = Math.fround(Math.fround(Math.fround(1 - smooth) * frequency) / factor);
  return Math.fround(slow + Math.fround(smooth * frequency));
}

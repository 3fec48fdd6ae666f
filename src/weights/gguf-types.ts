// Numbers of ggml's storage types and their names, known and unknown to us. Source: `enum ggml_type` in ggml.h.

import { UserError } from "../base/errors.ts";
import { nearestName } from "../base/options.ts";
import { quants, type Storage } from "./quants.ts";

export const storageNames: Readonly<Record<number, string>> = {
  0: "F32",
  1: "F16",
  2: "Q4_0",
  3: "Q4_1",
  6: "Q5_0",
  7: "Q5_1",
  8: "Q8_0",
  9: "Q8_1",
  10: "Q2_K",
  11: "Q3_K",
  12: "Q4_K",
  13: "Q5_K",
  14: "Q6_K",
  15: "Q8_K",
  16: "IQ2_XXS",
  17: "IQ2_XS",
  18: "IQ3_XXS",
  19: "IQ1_S",
  20: "IQ4_NL",
  21: "IQ3_S",
  22: "IQ2_S",
  23: "IQ4_XS",
  24: "I8",
  25: "I16",
  26: "I32",
  27: "I64",
  28: "F64",
  29: "IQ1_M",
  30: "BF16",
  34: "TQ1_0",
  35: "TQ2_0",
  39: "MXFP4",
};

/** The storage type with this number, or a `UserError` that lists the supported ones and the nearest. */
export function storageByType(
  path: string,
  array: string,
  type: number,
): { storage: string; format: Storage } {
  const storage = storageNames[type] ?? `type ${type}`;
  if (storage in quants) return { storage, format: quants[storage as keyof typeof quants] };
  const known = Object.keys(quants);
  const nearest = nearestName(storage, known);
  const advice = nearest === undefined ? "" : `, ${nearest} being the nearest`;
  throw new UserError(
    `Expected ${array} in ${path} to be stored as one of ${known.join(", ")}, found ${storage}: get the model in one of those${advice}`,
  );
}

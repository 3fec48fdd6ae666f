// Reading `config.json`: a checked number by its key, or a sentence that names the key and what was found.

import { UserError } from "../base/errors.ts";
import { showValue } from "../base/show.ts";

export type ConfigFile = Readonly<Record<string, unknown>>;

/** A positive number of the configuration; `fallback` stands in when the key is missing or null. */
export function numberOf(config: ConfigFile, key: string, fallback?: number): number {
  const value = config[key] ?? fallback;
  if (typeof value !== "number" || !(value > 0 && value < Infinity)) {
    throw new UserError(
      `Expected a positive number for ${key} in the model's config, found ${showValue(config[key])}`,
    );
  }
  return value;
}

/** Lists are made for every one of these. */
const LARGEST: Readonly<Record<string, number>> = {
  num_hidden_layers: 1000,
  num_layers: 1000,
  num_decoder_layers: 1000,
};

/** Far above any model; keeps products of two sizes exact. */
const LARGEST_SIZE = 2 ** 26;

/** As `numberOf`, a whole number, of a size that models have. */
export function integerOf(config: ConfigFile, key: string, fallback?: number): number {
  const value = numberOf(config, key, fallback);
  if (!Number.isInteger(value)) {
    throw new UserError(`Expected a whole number for ${key} in the model's config, found ${value}`);
  }
  const most = LARGEST[key] ?? LARGEST_SIZE;
  if (value > most) {
    throw new UserError(`Expected at most ${most} for ${key} in the model's config, found ${value}`);
  }
  return value;
}

/** Refuses a setting that would silently change the mathematics. */
export function refuse(config: ConfigFile, key: string, allowed: readonly unknown[]): void {
  if (config[key] === undefined || allowed.includes(config[key])) return;
  const wanted = allowed
    .filter((value) => value !== null)
    .map(showValue)
    .join(" or ");
  throw new UserError(
    `Expected ${key} to be ${wanted}, which is what is supported, found ${showValue(config[key])}`,
  );
}

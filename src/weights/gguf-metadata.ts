// Typed access to the metadata of a GGUF file: a key that is missing or of another kind is a sentence, not an
// undefined that surfaces later. Keys of the model are given without the architecture's prefix.

import { UserError } from "../base/errors.ts";
import { showText, showValue } from "../base/show.ts";

/** Far above any model; keeps products of two sizes exact. */
const LARGEST_SIZE = 2 ** 26;

export class GgufMetadata {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;

  constructor(path: string, values: Readonly<Record<string, unknown>>) {
    this.path = path;
    this.values = values;
  }

  text(key: string): string {
    return this.optionalText(key) ?? this.#missing(key, "a text");
  }

  integer(key: string): number {
    return this.optionalInteger(key) ?? this.#missing(key, "a whole number");
  }

  number(key: string): number {
    return this.optionalNumber(key) ?? this.#missing(key, "a number");
  }

  optionalText(key: string): string | undefined {
    const value = this.#value(key);
    return value === undefined || typeof value === "string" ? value : this.#wrong(key, "a text");
  }

  optionalInteger(key: string): number | undefined {
    const value = this.#value(key);
    if (value === undefined) return undefined;
    const fits = typeof value === "number" && Number.isInteger(value) && value > 0 && value <= LARGEST_SIZE;
    return fits ? value : this.#wrong(key, `a whole number from 1 to ${LARGEST_SIZE}`);
  }

  optionalNumber(key: string): number | undefined {
    const value = this.#value(key);
    if (value === undefined) return undefined;
    return typeof value === "number" && Number.isFinite(value) ? value : this.#wrong(key, "a finite number");
  }

  requireDivides(key: string, divisor: number, dividend: number): void {
    if (dividend % divisor !== 0) this.#wrong(key, `a divisor of ${dividend}`);
  }

  #value(key: string): unknown {
    return this.values[this.#fullKey(key)];
  }

  #fullKey(key: string): string {
    return key.startsWith("general.") ? key : `${this.values["general.architecture"]}.${key}`;
  }

  #missing(key: string, wanted: string): never {
    throw new UserError(
      `Expected ${wanted} under ${showText(this.#fullKey(key))} in ${this.path}, found no such key: the file is not a complete model`,
    );
  }

  #wrong(key: string, wanted: string): never {
    const found = showValue(this.#value(key));
    throw new UserError(
      `Expected ${wanted} under ${showText(this.#fullKey(key))} in ${this.path}, found ${found}: the file is damaged or not supported`,
    );
  }
}

/** The shortest decimal that is the same f32: 0.00001 for what a file holds as 9.999999747378752e-06. */
export function shortest(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const decimal = Number(value.toPrecision(digits));
    if (Math.fround(decimal) === Math.fround(value)) return decimal;
  }
  return value;
}

// JSON as Python's `json.dump(..., indent=2, sort_keys=True)` writes it: keys sorted, and numbers that are floats there
// with a decimal point, because loaders tell an int from a float (adapters refuses `"scaling": 1`).

import { writeFileAtomic } from "../base/files.ts";

/** A number that Python is to read as a float. */
export class Float {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

export type PythonJson =
  | null
  | boolean
  | number
  | string
  | Float
  | readonly PythonJson[]
  | { readonly [key: string]: PythonJson };

/** The text of a value, without a newline at the end. */
export function pythonJson(value: PythonJson, indent = ""): string {
  const deeper = `${indent}  `;
  const lines = (items: readonly string[], [open, close]: readonly [string, string]) =>
    items.length === 0
      ? open + close
      : `${open}\n${items.map((item) => deeper + item).join(",\n")}\n${indent}${close}`;
  if (value instanceof Float) return floatText(value.value);
  if (Array.isArray(value))
    return lines(
      value.map((item) => pythonJson(item, deeper)),
      ["[", "]"],
    );
  if (typeof value === "object" && value !== null) {
    const pairs = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return lines(
      pairs.map(([key, item]) => `${JSON.stringify(key)}: ${pythonJson(item, deeper)}`),
      ["{", "}"],
    );
  }
  return JSON.stringify(value);
}

function floatText(value: number): string {
  const text = JSON.stringify(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** Writes a JSON file with a final newline. */
export function writePythonJson(path: string, value: PythonJson): void {
  writeFileAtomic(path, `${pythonJson(value)}\n`);
}

// Modules by name, as options and files name them: whole, or by the last part.

import { UserError } from "../base/errors.ts";
import { nearestName } from "../base/options.ts";

/** The last part of a dotted name. */
export function lastPart(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

/** The modules meant, in their own order; a `UserError` names all that match nothing. */
export function selectModules<T extends { readonly name: string }>(
  option: string,
  wanted: readonly string[],
  modules: readonly T[],
): T[] {
  const matches = (module: T, name: string) => module.name === name || lastPart(module.name) === name;
  const unknown = wanted.filter((name) => !modules.some((module) => matches(module, name)));
  if (unknown.length > 0) {
    const known = [...new Set(modules.map((module) => lastPart(module.name)))];
    const near = nearestName(unknown[0]!, known);
    throw new UserError(
      `Expected ${option} among ${known.join(", ")}, found ${unknown.join(", ")}${near ? ` (did you mean ${near}?)` : ""}`,
    );
  }
  return modules.filter((module) => wanted.some((name) => matches(module, name)));
}

// The base of a run: opened like any other, and held against what the run was trained on.

import { UserError } from "../base/errors.ts";
import { type Base, openBase } from "../generation/base.ts";

/** The base of a run, which must be the one that it was trained on. */
export function openBaseOf(run: { base: string; base_sha256: string }, folder: string): Base {
  const base = openBase(run.base);
  if (base.source.hash() === run.base_sha256) return base;
  base.source.dispose();
  throw new UserError(
    `Expected the base that ${folder} was trained on, found other weights in ${run.base}; put the former back, or train again with --restart`,
  );
}

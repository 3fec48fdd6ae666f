// The base of a run: opened like any other, and held against what the run was trained on; and the run's adapter.

import type { Adapter } from "../adapters/adapter.ts";
import { openAdapter } from "../adapters/open.ts";
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

/** The adapter of a run, which must fit its base; `null` where every weight was trained. */
export function openAdapterOf(
  { kind, adapter_scale = 1 }: { kind: "adapter" | "all"; adapter_scale?: number },
  folder: string,
  base: Base,
): Adapter | null {
  if (kind === "adapter") return openAdapter(folder, base, { scale: adapter_scale });
  if (adapter_scale === 1) return null;
  throw new UserError(
    `Expected a run with an adapter for --adapter_scale, found every weight trained in ${folder}; leave the option out`,
  );
}

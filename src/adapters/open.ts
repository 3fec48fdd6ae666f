// The one door through which a saved adapter comes: of PEFT or AdapterHub, told apart by its config, and held against
// the model and the weights that it is to be used with.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../base/errors.ts";
import { readJson } from "../base/files.ts";
import type { Adapter, TrainedArray } from "./adapter.ts";
import { readHub } from "./hub.ts";
import type { HubLayers } from "./hub-config.ts";
import { isTwofold } from "./kind.ts";
import { requireMatch } from "./match.ts";
import { readOwnFacts } from "./own.ts";
import { readPeft } from "./peft.ts";
import { fromPeft } from "./peft-embedding.ts";
import { scaleAdapter } from "./scale.ts";

/** A base as it is opened; `source` says which weights it has, where that is to be compared. */
export type OpenBase = {
  readonly model: HubLayers;
  readonly read: (name: string) => Float32Array;
  readonly source?: { readonly name: string; hash(): string };
};

/** Reads an adapter for a base. A `UserError` names every mismatch; `scale` 0 is the base, 1 the adapter as trained. */
export function openAdapter(folder: string, base: OpenBase, { scale = 1 }: { scale?: number } = {}): Adapter {
  const path = join(folder, "adapter_config.json");
  if (!existsSync(path)) {
    throw new UserError(
      `Expected an adapter's files in ${folder}, found no adapter_config.json; give the folder of a run or an adapter`,
    );
  }
  const file = readJson(path) as Readonly<Record<string, unknown>> | null;
  requireSameBase(folder, base);
  const adapter = withoutBaseArrays(read(folder, file ?? {}, base.model), base);
  requireMatch(adapter, base.model);
  return scale === 1 ? adapter : scaleAdapter(adapter, scale, base);
}

function read(folder: string, file: Readonly<Record<string, unknown>>, model: HubLayers): Adapter {
  if (file.peft_type !== undefined) return readTied(folder, model);
  if (typeof file.config === "object") return readHub(folder, model);
  throw new UserError(
    `Expected an adapter of PEFT (peft_type) or AdapterHub (config) in ${join(folder, "adapter_config.json")}, found neither`,
  );
}

/** The embedding's name where the head is tied to it. */
export function tiedName({ embeddingParameter, headParameters }: HubLayers): string | undefined {
  const { name } = embeddingParameter;
  return headParameters.some((parameter) => parameter.name === name) ? name : undefined;
}

function readTied(folder: string, model: HubLayers): Adapter {
  if (isTwofold(model)) return fromPeft(readPeft(folder), { model, folder });
  const { config, arrays, tied } = readPeft(folder);
  const embedding = tiedName(model);
  if (embedding !== undefined && arrays.has(embedding) && !tied) {
    throw new UserError(
      `Expected ensure_weight_tying true of a trained ${embedding}, which is this model's head too, found it false in ${join(folder, "adapter_config.json")}; train it again with that option`,
    );
  }
  return { config, arrays };
}

/** An adapter of ours says which weights it was trained on. */
function requireSameBase(folder: string, { source }: OpenBase): void {
  const wanted = readOwnFacts(folder)?.base_sha256;
  if (wanted === undefined || source === undefined) return;
  const found = source.hash();
  if (found === wanted) return;
  throw new UserError(
    `Expected the base that the adapter in ${folder} was trained on (sha256 ${wanted.slice(0, 12)}), found other weights in ${source.name} (${found.slice(0, 12)}); give that base with --model, or train again`,
  );
}

/** adapters saves a head that was not trained too: what equals the base's is none of the adapter. */
function withoutBaseArrays(adapter: Adapter, base: OpenBase): Adapter {
  const { config, arrays } = adapter;
  const head = arrays.get("lm_head.weight");
  if (config.modules_to_save.join() !== "lm_head" || !head) return adapter;
  const name = tiedName(base.model) ?? "lm_head.weight";
  if (!isSame(head, base.read(name))) return adapter;
  const own = new Map([...arrays].filter(([key]) => key !== "lm_head.weight"));
  return { config: { ...config, modules_to_save: [] }, arrays: own };
}

function isSame({ data }: TrainedArray, values: Float32Array): boolean {
  return data.length === values.length && data.every((value, i) => value === values[i]);
}

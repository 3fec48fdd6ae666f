// Writes a trained adapter so that other programs load it: a LoRA as PEFT's files, and in `adapterhub/NAME` as
// AdapterHub's where those can hold it; a bottleneck as AdapterHub's.

import { join } from "node:path";
import { UserError } from "../base/errors.ts";
import type { Adapter, AdapterConfig } from "./adapter.ts";
import { hubProblems, writeHub } from "./hub.ts";
import type { HubLayers } from "./hub-config.ts";
import { findHubModel, hubModelOf } from "./hub-models.ts";
import { isTwofold } from "./kind.ts";
import { tiedName } from "./open.ts";
import { writeOwnFacts } from "./own.ts";
import { writePeft } from "./peft.ts";
import { asPeftHasIt } from "./peft-embedding.ts";

/** What the files say beside the adapter itself. */
export type SaveFacts = {
  readonly model: HubLayers;
  /** As AdapterHub's users call it. */
  readonly name: string;
  /** The base as it was given: a path or a name on the hub. */
  readonly base: string | null;
  /** sha256 of the base's weights. */
  readonly base_sha256: string;
  readonly revision?: string;
};

/** Names in a run's folder that `saveAdapter` may write. */
export const savedNames = [
  ...["adapter_config.json", "adapter_model.safetensors", "adapterhub", "codefudge_adapter.json"],
  ...["pytorch_adapter.bin", "adapter.safetensors", "embedding.pt"],
  ...["head_config.json", "pytorch_model_head.bin", "model_head.safetensors"],
] as const;

/** Throws a `UserError` for an adapter that no file format could hold: to be asked before training. */
export function requireSavable(config: AdapterConfig, model: HubLayers): void {
  if (config.kind === "lora") return;
  // Throws for an architecture that AdapterHub does not know.
  hubModelOf(model.model_type);
  const problems = hubProblems({ config }, model);
  if (problems.length === 0) return;
  throw new UserError(
    `Expected a bottleneck that AdapterHub's files can hold, found ${problems.join("; ")}; train a LoRA instead`,
  );
}

/** Writes the folder; gives the folders that hold a whole adapter each. */
export function saveAdapter(folder: string, adapter: Adapter, facts: SaveFacts): readonly string[] {
  const { config, arrays } = adapter;
  const { model } = facts;
  const hub = { model, name: facts.name, model_name: facts.base };
  writeOwnFacts(folder, { base_sha256: facts.base_sha256 });
  if (config.kind !== "lora") {
    writeHub(folder, adapter, hub);
    return [folder];
  }
  const { base, revision = null } = facts;
  const task_type = isTwofold(model) ? "SEQ_2_SEQ_LM" : "CAUSAL_LM";
  const tied = isTwofold(model) ? undefined : tiedName(model);
  const where = { base_model_name_or_path: base, revision, task_type, tied } as const;
  writePeft(folder, asPeftHasIt({ config, arrays }, model), where);
  if (!findHubModel(model.model_type) || hubProblems(adapter, model).length > 0) return [folder];
  const second = join(folder, "adapterhub", facts.name);
  writeHub(second, adapter, hub);
  writeOwnFacts(second, { base_sha256: facts.base_sha256 });
  return [folder, second];
}

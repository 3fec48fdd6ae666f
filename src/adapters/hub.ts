// Reads and writes adapters as AdapterHub has them: `adapter_config.json` with `pytorch_adapter.bin`, which its loader
// opens, and the same arrays as `adapter.safetensors`; a head that is trained whole in files of its own. Format:
// adapters:src/adapters/loading.py. Which names stand where is in `hub-models.ts`.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../base/errors.ts";
import { readJson } from "../base/files.ts";
import { BARE, openPytorch, writePytorch } from "../weights/pytorch.ts";
import { openSafetensors, writeSafetensors } from "../weights/safetensors.ts";
import type { Adapter, TrainedArray } from "./adapter.ts";
import { biasedTargets, type HubLayers, hubConfig, parseHubConfig, unplacedTargets } from "./hub-config.ts";
import { hubModelOf } from "./hub-models.ts";
import { INVERTIBLE } from "./invertible.ts";
import { allArrays } from "./kinds.ts";
import { loraScale } from "./lora.ts";
import { requireArrays } from "./match.ts";
import { writePythonJson } from "./python-json.ts";

const CONFIG = "adapter_config.json";
const HEAD_CONFIG = "head_config.json";
const ADAPTER_FILES = ["pytorch_adapter.bin", "adapter.safetensors"] as const;
const HEAD_FILES = ["pytorch_model_head.bin", "model_head.safetensors"] as const;
/** What the files say that wrote them: the version whose keys and meanings they have. */
const VERSION = "adapters.1.3.0";
const HEAD = "lm_head.weight";
/** What `load_embeddings` opens, beside the adapter. */
const EMBEDDING_FILE = "embedding.pt";

/** How the files call what they belong to. */
export type HubFacts = {
  readonly model: HubLayers;
  readonly name: string;
  readonly model_name: string | null;
};

/** Why AdapterHub's files cannot hold an adapter; nothing where they can. */
export function hubProblems({ config }: Pick<Adapter, "config">, model: HubLayers): string[] {
  const own = ["lm_head", ...(config.kind === "lora" ? [] : separateEmbedding(model))];
  const saved = config.modules_to_save.filter((name) => !own.includes(name));
  const unplaced = config.kind === "lora" ? unplacedTargets(config, model) : [];
  const biased = config.kind === "lora" ? biasedTargets(config, model) : [];
  return [
    ...(saved.length > 0 ? [`no place for modules_to_save ${saved.join(", ")}`] : []),
    ...(unplaced.length > 0 ? [`no place for a LoRA on ${unplaced.join(", ")}`] : []),
    ...(biased.length > 0 ? [`a DoRA on ${biased.join(", ")}, whose bias adapters would scale too`] : []),
  ];
}

/** The embedding's module where it is not the head too: `load_embeddings` puts another in its place, and leaves the head.
 * A LoRA's goes into PEFT's files, which need no second call. */
function separateEmbedding({ embeddingParameter: { name }, headParameters }: HubLayers): string[] {
  return headParameters.some((parameter) => parameter.name === name)
    ? []
    : [name.replace(/^.*?([^.]+)\.weight$/, "$1")];
}

/** Writes the folder; the config comes last, so that a folder with a config is whole. */
export function writeHub(folder: string, adapter: Adapter, { model, name, model_name }: HubFacts): void {
  const problems = hubProblems(adapter, model);
  if (problems.length > 0) {
    throw new UserError(`Expected an adapter that AdapterHub's files can hold, found ${problems.join("; ")}`);
  }
  const { model_type, hidden_size } = model;
  const { model_class } = hubModelOf(model_type);
  const shared = { hidden_size, model_class, model_name, model_type, version: VERSION };
  writeBoth(folder, ADAPTER_FILES, hubArrays(adapter, model, name));
  const embedding = adapter.arrays.get(model.embeddingParameter.name);
  if (embedding) writePytorch(join(folder, EMBEDDING_FILE), new Map([[BARE, embedding]]));
  const head = adapter.arrays.get(HEAD);
  if (head) {
    writeBoth(folder, HEAD_FILES, new Map([[HEAD, head]]));
    const labels = { label2id: { LABEL_0: 0, LABEL_1: 1 }, num_labels: 2 };
    writePythonJson(join(folder, HEAD_CONFIG), { ...shared, ...labels, config: null, name: null });
  }
  writePythonJson(join(folder, CONFIG), { ...shared, name, config: hubConfig(adapter.config, model) });
}

function writeBoth(
  folder: string,
  [torch, safe]: readonly [string, string],
  arrays: ReadonlyMap<string, TrainedArray>,
): void {
  writePytorch(join(folder, torch), arrays);
  writeSafetensors(join(folder, safe), arrays);
}

/** Arrays under AdapterHub's names; a DoRA's scale goes into B, a magnitude becomes a column. */
function hubArrays({ config, arrays }: Adapter, model: HubLayers, name: string): Map<string, TrainedArray> {
  const scale = config.kind === "lora" && config.use_dora ? loraScale(config) : 1;
  const outside = [HEAD, model.embeddingParameter.name];
  const own = [...arrays].filter(([key]) => !outside.includes(key));
  return new Map(
    own.map(([key, { shape, data }]): [string, TrainedArray] => {
      const hub = hubName(key, model, name);
      if (hub.endsWith(".m.weight")) return [hub, { shape: [shape[0]!, 1], data }];
      const isScaled = scale !== 1 && hub.endsWith(".lora_B");
      return [hub, { shape, data: isScaled ? data.map((value) => value * scale) : data }];
    }),
  );
}

/** AdapterHub's name of one of our arrays. */
export function hubName(key: string, model: HubLayers, name: string): string {
  const { joins, invertible } = hubModelOf(model.model_type);
  if (key.startsWith(INVERTIBLE)) {
    return `${invertible}invertible_adapters.${name}.${key.slice(INVERTIBLE.length)}`;
  }
  const low = /^(.*)\.lora_(?:([AB])\.weight|magnitude_vector)$/.exec(key);
  if (low) return `${low[1]}.loras.${name}.${low[2] ? `lora_${low[2]}` : "m.weight"}`;
  const [, place, part] = /^(.*)\.(adapter_(?:down|up)\.(?:weight|bias))$/.exec(key) ?? [];
  const join = Object.keys(joins).find((ours) => place?.endsWith(`.${ours}`));
  if (place === undefined || join === undefined) throw new Error(`${key} has no place in AdapterHub's files`);
  // The first product is the first of a sequence there.
  const theirs = part!.replace("adapter_down.", "adapter_down.0.");
  return `${place.slice(0, -join.length)}${joins[join]}.${name}.${theirs}`;
}

/** What a file of either format gives. */
type Source = {
  readonly path: string;
  readonly arrays: ReadonlyMap<string, { readonly shape: readonly number[] }>;
  read(name: string): Float32Array;
  dispose(): void;
};

/** Reads the folder for a model; refuses with one `UserError` all that does not fit or would be ignored. */
export function readHub(folder: string, model: HubLayers): Adapter {
  const path = join(folder, CONFIG);
  const file = readJson(path) as Readonly<Record<string, unknown>>;
  const config = parseHubConfig(file, path, model);
  const problems = hubProblems({ config }, model);
  if (problems.length > 0) {
    throw new UserError(
      `Expected an adapter as it can be computed here in ${path}, found ${problems.join("; ")}`,
    );
  }
  const source = openEither(folder, ADAPTER_FILES);
  try {
    const arrays = readArrays(source, { config, model, name: String(file.name) });
    const [head, embedding] = [readHead(folder), readEmbedding(folder, config, model)];
    if (head) arrays.set(HEAD, head);
    if (embedding) arrays.set(model.embeddingParameter.name, embedding);
    const modules_to_save = [...(embedding ? separateEmbedding(model) : []), ...(head ? ["lm_head"] : [])];
    return { config: { ...config, modules_to_save }, arrays };
  } finally {
    source.dispose();
  }
}

/** The safetensors file where there is one: it can only be data. */
function openEither(folder: string, [torch, safe]: readonly [string, string]): Source {
  const path = join(folder, safe);
  return existsSync(path) ? openSafetensors(path) : openPytorch(join(folder, torch));
}

function readArrays(
  source: Source,
  { config, model, name }: Pick<Adapter, "config"> & { model: HubLayers; name: string },
): Map<string, TrainedArray> {
  const found = new Map([...source.arrays.keys()].map((key) => [plainName(key), key]));
  const wanted = allArrays(config, model).map((planned) => {
    const hub = hubName(planned.name, model, name);
    const shape = hub.endsWith(".m.weight") ? [planned.shape[0]!, 1] : planned.shape;
    return { ours: planned.name, name: plainName(hub), shape, final: planned.shape };
  });
  const shapes = new Map([...found].map(([plain, key]) => [plain, source.arrays.get(key)!]));
  requireArrays(wanted, shapes);
  return new Map(
    wanted.map(({ ours, name: plain, final }) => [
      ours,
      { shape: final, data: source.read(found.get(plain)!) },
    ]),
  );
}

const LEGACY = /attention_text_(?:task|lang)_adapters|layer_text_(?:task|lang)_adapters/;

/** Without what a class with or without a head puts in front, and with today's word for what had others. */
function plainName(key: string): string {
  return key
    .replace(/^(?:base_model|model|transformer)\./, "")
    .replace(LEGACY, "adapters")
    .replace("invertible_lang_adapters", "invertible_adapters");
}

/** A trained embedding, if the folder has one and the model can take it. */
function readEmbedding(folder: string, { kind }: Adapter["config"], model: HubLayers): TrainedArray | null {
  const path = join(folder, EMBEDDING_FILE);
  if (kind === "lora" || !existsSync(path) || separateEmbedding(model).length === 0) return null;
  const source = openPytorch(path);
  try {
    return { shape: source.arrays.get(BARE)?.shape ?? [], data: source.read(BARE) };
  } finally {
    source.dispose();
  }
}

/** A static head's weights, if the folder has them. */
function readHead(folder: string): TrainedArray | null {
  if (!HEAD_FILES.some((file) => existsSync(join(folder, file)))) return null;
  const source = openEither(folder, HEAD_FILES);
  try {
    const names = [...source.arrays.keys()];
    if (names.join() !== HEAD) {
      throw new UserError(
        `Expected the head ${HEAD} in ${source.path}, found ${names.slice(0, 8).join(", ")}; remove the head's files to use the base's head`,
      );
    }
    return { shape: source.arrays.get(HEAD)!.shape, data: source.read(HEAD) };
  } finally {
    source.dispose();
  }
}

// Models that other programs on this machine have fetched: Ollama's store and LM Studio's folder, read only, so that
// nothing is fetched twice. Layouts: ollama:types/model/name.go and manifest/layer.go; LM Studio keeps
// models/publisher/name/files.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../base/errors.ts";
import { showText } from "../base/show.ts";
import { LAYOUTS } from "./folder-files.ts";
import { ggufFiles } from "./hub-choice.ts";
import { DEFAULT_REVISION, parseHubName } from "./hub-name.ts";

export type Stores = {
  /** Folders that hold `manifests` and `blobs`. */
  readonly ollama: readonly string[];
  /** Folders that hold publisher/name. */
  readonly lmStudio: readonly string[];
};

export type Found = { readonly path: string; readonly where: "Ollama" | "LM Studio" };

/** The model of that name in one of the stores; undefined when none has it. A revision is never found: they keep none. */
export function findInStores(text: string, stores: Stores): Found | undefined {
  for (const root of stores.lmStudio) {
    const path = inLmStudio(root, text);
    if (path !== undefined) return { path, where: "LM Studio" };
  }
  for (const root of stores.ollama) {
    const path = inOllama(root, text);
    if (path !== undefined) return { path, where: "Ollama" };
  }
  return undefined;
}

function inLmStudio(root: string, text: string): string | undefined {
  const name = parseHubName(text);
  if (name === undefined || name.revision !== DEFAULT_REVISION) return undefined;
  const folder = join(root, name.repo);
  if (!isFolder(folder)) return undefined;
  const names = readdirSync(folder);
  const files = ggufFiles(names, name.part);
  if (files.length > 1) {
    throw new UserError(
      `Expected one GGUF file of ${text} in ${folder}, found ${files.map((file) => showText(file)).join(", ")}: say which with ${name.repo}:PART, or give its path`,
    );
  }
  if (files.length === 1) return join(folder, files[0]!);
  const complete =
    names.includes("config.json") &&
    LAYOUTS.some(({ whole, index }) => names.includes(whole) || names.includes(index));
  return complete && name.part === undefined ? folder : undefined;
}

const TAG = "[A-Za-z0-9_][A-Za-z0-9._-]*";
const OLLAMA = new RegExp(`^(?:(${TAG})/)?(${TAG})(?::(${TAG}))?$`);

/** `name[:tag]` of its library, `user/name[:tag]`, or what it has fetched from the hub as org/name[:part]. */
function inOllama(root: string, text: string): string | undefined {
  const [, user = "library", name, tag = "latest"] = OLLAMA.exec(text) ?? [];
  if (name === undefined) return undefined;
  const places = [
    join("registry.ollama.ai", user, name, tag),
    join("hf.co", user, name, tag),
    join("huggingface.co", user, name, tag),
  ];
  for (const place of places) {
    const manifest = join(root, "manifests", place);
    const blob = isFile(manifest) ? modelBlob(root, readFileSync(manifest, "utf8")) : undefined;
    if (blob !== undefined) return blob;
  }
  return undefined;
}

type Layer = { readonly mediaType?: unknown; readonly digest?: unknown };

/** The GGUF file of a manifest; undefined for what is not a plain model. */
function modelBlob(root: string, manifest: string): string | undefined {
  const layers = layersOf(manifest).filter((layer) => typeof layer === "object" && layer !== null);
  const kinds = layers.map(({ mediaType }) => mediaType);
  if (kinds.includes("application/vnd.ollama.image.adapter")) return undefined;
  const model = layers.filter(({ mediaType }) => mediaType === "application/vnd.ollama.image.model");
  const digest = model.length === 1 ? String(model[0]!.digest) : "";
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) return undefined;
  const path = join(root, "blobs", digest.replace(":", "-"));
  return isFile(path) ? path : undefined;
}

function layersOf(manifest: string): Layer[] {
  try {
    const { layers } = (JSON.parse(manifest) ?? {}) as { layers?: unknown };
    return Array.isArray(layers) ? layers : [];
  } catch {
    return []; // half written, or of another version: as if it were not there
  }
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

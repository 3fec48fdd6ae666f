// Which files of a repository make a model that is read here: a folder in Hugging Face's layout, else one GGUF file.

import { UserError } from "../base/errors.ts";
import { showText } from "../base/show.ts";
import { LAYOUTS, tokenizerNames, type WeightLayout } from "./folder-files.ts";
import type { HubName } from "./hub-name.ts";

export type Choice =
  | { readonly kind: "folder"; readonly files: readonly string[]; readonly weights: readonly string[] }
  | { readonly kind: "gguf"; readonly file: string };

/** The files to have; throws a `UserError` that lists what there is where none can be chosen. */
export function chooseFiles(names: readonly string[], wish: HubName): Choice {
  const top = names.filter((name) => !/[/\\]/.test(name) && name !== "." && name !== "..");
  const gguf = ggufFiles(top, wish.part);
  if (wish.part === undefined && top.includes("config.json")) {
    const weights = weightNames(top);
    if (weights.length > 0) {
      const others = ["config.json", ...tokenizerNames((name) => top.includes(name))];
      return { kind: "folder", files: others, weights };
    }
  }
  if (gguf.length === 1) return { kind: "gguf", file: gguf[0]! };
  throw noChoice(top, wish, gguf);
}

function weightNames(top: readonly string[]): string[] {
  return LAYOUTS.map((layout) => weightsOf(layout, top)).find((names) => names.length > 0) ?? [];
}

/** All shards: an index may name fewer, and then the others do no harm. */
function weightsOf({ whole, index, ending }: WeightLayout, top: readonly string[]): string[] {
  if (top.includes(whole)) return [whole];
  const [stem] = whole.split(".");
  const shards = top.filter((name) => new RegExp(`^${stem}-\\d+-of-\\d+\\${ending}$`).test(name));
  return top.includes(index) ? [index, ...shards] : [];
}

/** GGUF models among the names whose own name has the part; of one in several files, none is read. */
export function ggufFiles(names: readonly string[], part: string | undefined): string[] {
  const models = names.filter((name) => /\.gguf$/i.test(name) && !/mmproj|-\d{5}-of-\d{5}/i.test(name));
  if (part === undefined) return models;
  const wanted = part.toLowerCase();
  const exact = models.filter((name) => nameParts(name).includes(wanted));
  return exact.length > 0 ? exact : models.filter((name) => name.toLowerCase().includes(wanted));
}

/** `Model-0.5B.Q4_K_M.gguf` has the parts model, 0, 5b, q4_k_m and others: what stands between dots and hyphens. */
function nameParts(name: string): string[] {
  return name.toLowerCase().split(/[.-]/);
}

function noChoice(top: readonly string[], { repo, part }: HubName, gguf: readonly string[]): UserError {
  const shown = (names: readonly string[]) =>
    `${names
      .slice(0, 12)
      .map((name) => showText(name))
      .join(", ")}${names.length > 12 ? ` and ${names.length - 12} more` : ""}`;
  if (gguf.length > 1) {
    return new UserError(
      `Expected one GGUF file in ${repo}${part === undefined ? "" : ` with ${part} in its name`}, found ${shown(gguf)}: say which with ${repo}:PART, such as ${repo}:Q8_0`,
    );
  }
  const all = ggufFiles(top, undefined);
  if (part !== undefined && all.length > 0) {
    return new UserError(
      `Expected a GGUF file with ${part} in its name in ${repo}, found ${shown(all)}: choose one of them`,
    );
  }
  return new UserError(
    `Expected ${LAYOUTS[0].whole} with config.json, or a .gguf file, in ${repo}, found ${top.length === 0 ? "no files" : shown(top)}: choose another model with --model`,
  );
}

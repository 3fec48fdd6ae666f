// The embedding that an encoder and a decoder share, trained whole, in PEFT's files. PEFT knows no module for it: to it the
// encoder's, the decoder's and a tied head are modules of their own, each with a copy. What is one here is written to
// each of them, and read back where they agree (peft:src/peft/utils/other.py, ModulesToSaveWrapper, with transformers 5).

import { UserError } from "../base/errors.ts";
import type { Adapter, LoraConfig, TrainedArray } from "./adapter.ts";
import { type Adaptable, isTwofold } from "./kind.ts";

const COPIES = ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight"] as const;
const HEAD = "lm_head.weight";

/** The arrays that PEFT has of a model's embedding. */
function copiesOf({ embeddingParameter, headParameters }: Adaptable): readonly string[] {
  const isTied = headParameters.some(({ name }) => name === embeddingParameter.name);
  return isTied ? [...COPIES, HEAD] : COPIES;
}

const moduleOf = (array: string) => array.replace(/^.*?([^.]+)\.weight$/, "$1");

/** The adapter as PEFT's files have it. */
export function asPeftHasIt({ config, arrays }: Adapter<LoraConfig>, model: Adaptable): Adapter<LoraConfig> {
  const { name } = model.embeddingParameter;
  const embedding = arrays.get(name);
  if (!isTwofold(model) || embedding === undefined) return { config, arrays };
  const copies = copiesOf(model);
  const rest = [...arrays].filter(([key]) => key !== name);
  const others = config.modules_to_save.filter((wanted) => !moduleOf(name).endsWith(wanted));
  return {
    config: { ...config, modules_to_save: [...new Set([...copies.map(moduleOf), ...others])] },
    arrays: new Map([...rest, ...copies.map((copy): [string, TrainedArray] => [copy, embedding])]),
  };
}

/** The adapter as it is here; a `UserError` where PEFT has trained the copies apart. */
export function fromPeft(
  { config, arrays }: Adapter<LoraConfig>,
  { model, folder }: { readonly model: Adaptable; readonly folder: string },
): Adapter<LoraConfig> {
  if (!isTwofold(model) || !COPIES.some((copy) => arrays.has(copy))) return { config, arrays };
  const { name } = model.embeddingParameter;
  const copies = copiesOf(model);
  const [first] = copies;
  const apart = copies.filter((copy) => !isSame(arrays.get(copy), arrays.get(first!)));
  if (apart.length > 0) {
    throw new UserError(
      `Expected one trained embedding for encoder, decoder and a tied head in ${folder}, found other values in ${apart.join(", ")} than in ${first}; train it here, or without embed_tokens`,
    );
  }
  const modules = new Set<string>(copies.map(moduleOf));
  const others = config.modules_to_save.filter((wanted) => !modules.has(wanted));
  return {
    config: { ...config, modules_to_save: [moduleOf(name), ...others] },
    arrays: new Map([
      ...[...arrays].filter(([key]) => !copies.includes(key)),
      [name, arrays.get(first!)!] as const,
    ]),
  };
}

function isSame(a: TrainedArray | undefined, b: TrainedArray | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return a.data.length === b.data.length && a.data.every((value, i) => value === b.data[i]);
}

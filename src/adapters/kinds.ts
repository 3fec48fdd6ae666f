// The kinds of adapter by name, and what they have in common: modules of the base that are trained whole
// (`modules_to_save`). Everything that is to work for any adapter goes through the functions here.

import { UserError } from "../base/errors.ts";
import type { AdapterConfig } from "./adapter.ts";
import { bottleneckKind } from "./bottleneck.ts";
import {
  type Adaptable,
  type AdapterKind,
  blockParametersOf,
  chainsOf,
  type Layers,
  type Parameter,
  type Planned,
} from "./kind.ts";
import { lora } from "./lora.ts";
import { selectModules } from "./select.ts";

/** A row for each kind; a kind without one is a compile error. */
const kinds: { readonly [C in AdapterConfig as C["kind"]]: AdapterKind<C> } = {
  lora,
  bottleneck: bottleneckKind,
};

/** The kind of a configuration. */
export function kindOf<C extends AdapterConfig>(config: C): AdapterKind<C> {
  return kinds[config.kind] as unknown as AdapterKind<C>;
}

/** Arrays of one block, by their names within it. */
export function blockArrays(config: AdapterConfig, model: Layers, layer: number): Planned[] {
  return [...kindOf(config).block(config, model, layer), ...savedOf(config, model).block.map(copied)];
}

/** Arrays outside the blocks, by their full names. */
export function outerArrays(config: AdapterConfig, model: Layers): Planned[] {
  return [...kindOf(config).outer(config, model), ...savedOf(config, model).outer.map(copied)];
}

/** Every array of an adapter by its full name; throws a `UserError` that names what the model does not have. */
export function allArrays(config: AdapterConfig, model: Adaptable): Planned[] {
  const chains = chainsOf(model);
  const blocks = chains.flatMap((chain) =>
    Array.from({ length: chain.num_hidden_layers }, (_, layer) => {
      const prefix = chain.blockPrefix(layer);
      return blockArrays(config, chain, layer).map((array) => withPrefix(prefix, array));
    }),
  );
  const arrays = [...blocks.flat(), ...outerArrays(config, chains[0]!)];
  if (arrays.length > 0) return arrays;
  throw new UserError(
    "Expected an adapter on at least one layer, found one on none; give other layers with --layers_to_transform or --leave_out",
  );
}

function withPrefix(prefix: string, { name, shape, initial }: Planned): Planned {
  const begins = initial.kind === "row-norms" ? { ...initial, of: prefix + initial.of } : initial;
  return { name: prefix + name, shape, initial: begins };
}

function copied({ name, shape }: Parameter): Planned {
  return { name, shape, initial: { kind: "copy" } };
}

type Saved = { readonly block: readonly Parameter[]; readonly outer: readonly Parameter[] };

/** Parameters of the modules that are trained whole, within a block and outside. */
function savedOf({ modules_to_save }: AdapterConfig, model: Layers): Saved {
  if (modules_to_save.length === 0) return { block: [], outer: [] };
  const { embeddingParameter, headParameters } = model;
  const outer = new Map([embeddingParameter, ...headParameters].map((p) => [p.name, p]));
  const modules = [
    ...modulesOf(blockParametersOf(model), "block"),
    ...modulesOf([...outer.values()], "outer"),
  ] as const;
  const chosen = selectByEnd(modules_to_save, modules);
  const of = (place: keyof Saved) =>
    chosen.filter((module) => module.place === place).flatMap((m) => m.parameters);
  const own = new Set(model.blockParameters.map(({ name }) => name));
  return { block: of("block").filter(({ name }) => own.has(name)), outer: of("outer") };
}

/** PEFT matches the end of a name, in the middle of a word too: `norm` is every norm. */
function selectByEnd<T extends { readonly name: string }>(
  wanted: readonly string[],
  modules: readonly T[],
): T[] {
  const unknown = wanted.filter((end) => !modules.some(({ name }) => name.endsWith(end)));
  // Throws, with all that is unknown and what is near.
  if (unknown.length > 0) selectModules("modules_to_save", unknown, modules);
  return modules.filter(({ name }) => wanted.some((end) => name.endsWith(end)));
}

function modulesOf(parameters: readonly Parameter[], place: keyof Saved) {
  const modules = new Map<string, Parameter[]>();
  for (const parameter of parameters) {
    const name = parameter.name.replace(/\.(weight|bias)$/, "");
    modules.set(name, [...(modules.get(name) ?? []), parameter]);
  }
  return [...modules].map(([name, held]) => ({ name, place, parameters: held }));
}

// The hooks through which a block under construction gets its parameters and linear layers, with an adapter on
// them where there is one. Training and generation build their blocks through this, so that both compute the same.

import { linear } from "../graph/build.ts";
import { input, type Tensor } from "../graph/tensor.ts";
import type { LoraConfig } from "./adapter.ts";
import { loraShapes, targetsOf, withLora } from "./lora.ts";

type Parameter = { readonly name: string; readonly shape: readonly number[] };

/** The part of a model that says what its blocks are made of. */
type Blocks = { readonly linears: readonly Parameter[]; readonly blockParameters: readonly Parameter[] };

export type BlockHooks = {
  readonly parameter: (name: string) => Tensor;
  readonly linear: (x: Tensor, names: readonly string[]) => readonly Tensor[];
  /** Graph inputs made so far, by name. */
  readonly made: ReadonlyMap<string, Tensor>;
};

/** Arrays of the adapter within one block. */
export function adapterParameters(model: Blocks, adapter: LoraConfig | null): Parameter[] {
  if (!adapter) return [];
  return targetsOf(adapter, model.linears).flatMap((target) => loraShapes(adapter, target));
}

/** Hooks for one block, and the graph inputs that were made through them. */
export function blockHooks(model: Blocks, adapter: LoraConfig | null): BlockHooks {
  const { parameter, made } = createParameters([
    ...model.blockParameters,
    ...adapterParameters(model, adapter),
  ]);
  const base = (x: Tensor, names: readonly string[]) =>
    names.map((name) => linear(x, parameter(`${name}.weight`)));
  if (!adapter) return { parameter, made, linear: base };
  return {
    parameter,
    made,
    linear: withLora(adapter, targetsOf(adapter, model.linears), { linear: base, parameter }),
  };
}

/** Graph inputs for the parameters of a stage, each made once when it is first asked for. */
export function createParameters(shapes: readonly Parameter[]): Pick<BlockHooks, "parameter" | "made"> {
  const made = new Map<string, Tensor>();
  const parameter = (name: string): Tensor => {
    const found = made.get(name);
    if (found) return found;
    const shape = shapes.find((candidate) => candidate.name === name)?.shape;
    if (!shape) throw new Error(`Expected a parameter of this stage, found ${name}`);
    const tensor = input(name, "float32", shape);
    made.set(name, tensor);
    return tensor;
  };
  return { parameter, made };
}

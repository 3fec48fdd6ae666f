// The stages of a network with an adapter in: embedding, block, head. Training and generation build theirs through
// this, so that both compute the same; without an adapter each is the base's own.

import { add, asFloat, gather, linear, split } from "../graph/build.ts";
import { input, type Tensor } from "../graph/tensor.ts";
import type { AdapterConfig } from "./adapter.ts";
import {
  type BlockContext,
  type JoinHook,
  type JointHook,
  type Layers,
  type LinearHook,
  outputsOf,
  type Parameter,
  type ParameterHook,
} from "./kind.ts";
import { blockArrays, kindOf, outerArrays } from "./kinds.ts";

export type BlockHooks = {
  readonly parameter: ParameterHook;
  readonly linear: LinearHook;
  readonly join: JoinHook;
  /** Graph inputs made so far, by name. */
  readonly made: ReadonlyMap<string, Tensor>;
};

export type BlockPlace = {
  readonly layer: number;
  /** Masks an input of the adapter, while training; none elsewhere. */
  readonly dropout?: BlockContext["dropout"];
  /** Products of frozen layers in another form than f32. */
  readonly joint?: JointHook;
  /** Whether the adapter's arrays are those of `frozenArrays`. */
  readonly frozen?: boolean;
};

/** Arrays of the adapter within one block, by their names there. */
export function adapterParameters(model: Layers, adapter: AdapterConfig | null, layer: number): Parameter[] {
  if (!adapter) return [];
  return blockArrays(adapter, model, layer).map(({ name, shape }) => ({ name, shape }));
}

/** Arrays of the adapter outside the blocks, by their full names. */
export function outerParameters(model: Layers, adapter: AdapterConfig | null): Parameter[] {
  if (!adapter) return [];
  return outerArrays(adapter, model).map(({ name, shape }) => ({ name, shape }));
}

/** The same for layers whose blocks are one program: a program serves every layer of its variant. */
export function blockVariant(model: Layers, adapter: AdapterConfig | null, layer: number): string {
  return adapterParameters(model, adapter, layer)
    .map(({ name, shape }) => `${name}[${shape}]`)
    .join(" ");
}

/** Hooks for one block, and the graph inputs that were made through them. */
export function blockHooks(model: Layers, adapter: AdapterConfig | null, place: BlockPlace): BlockHooks {
  const { parameter, made } = createParameters([
    ...model.blockParameters,
    ...adapterParameters(model, adapter, place.layer),
  ]);
  const joint = place.joint ?? (() => null);
  const base = {
    linear: (x: Tensor, names: readonly string[]) => {
      const together = joint(x, names);
      return together
        ? together.flatMap((part) => split(part.product, outputsOf(model, part.names), 1))
        : names.map((name) => linear(x, parameter(`${name}.weight`)));
    },
    join: (_name: string, residual: Tensor, output: Tensor) => add(residual, output),
  };
  if (!adapter) return { parameter, made, ...base };
  const { layer, dropout = (x) => x, frozen = false } = place;
  const context = { model, layer, parameter, dropout, frozen, joint, ...base };
  return { parameter, made, ...kindOf(adapter).hooks(adapter, context) };
}

type Stage = { readonly y: Tensor; readonly made: ReadonlyMap<string, Tensor> };

/** Hidden states [n, hidden_size] of ids int64 [n]. */
export function embeddingStage(model: Layers, adapter: AdapterConfig | null, ids: Tensor): Stage {
  const { parameter, made } = createParameters([
    model.embeddingParameter,
    ...outerParameters(model, adapter),
  ]);
  const rows = asFloat(gather(parameter(model.embeddingParameter.name), ids));
  return { y: adapter ? kindOf(adapter).afterEmbedding(adapter, parameter, rows) : rows, made };
}

/** The part of a model that its head is built of. */
export type HeadLayers = Layers & {
  readonly head: (
    hooks: { readonly parameter: ParameterHook; readonly beforeLogits?: (x: Tensor) => Tensor },
    x: Tensor,
  ) => Tensor;
};

/** Logits [n, vocab_size] of hidden states x [n, hidden_size]. */
export function headStage(model: HeadLayers, adapter: AdapterConfig | null, x: Tensor): Stage {
  const { parameter, made } = createParameters([...model.headParameters, ...outerParameters(model, adapter)]);
  if (!adapter) return { y: model.head({ parameter }, x), made };
  const beforeLogits = (hidden: Tensor) => kindOf(adapter).beforeLogits(adapter, parameter, hidden);
  return { y: model.head({ parameter, beforeLogits }, x), made };
}

/** Graph inputs for the parameters of a stage, each made once when it is first asked for. */
export function createParameters(shapes: readonly Parameter[]): Pick<BlockHooks, "parameter" | "made"> {
  const made = new Map<string, Tensor>();
  const parameter = (name: string): Tensor => {
    const found = made.get(name);
    if (found) return found;
    const known = shapes.find((candidate) => candidate.name === name);
    if (!known) throw new Error(`Expected a parameter of this stage, found ${name}`);
    const tensor = input(name, known.dtype ?? "float32", known.shape);
    made.set(name, tensor);
    return tensor;
  };
  return { parameter, made };
}

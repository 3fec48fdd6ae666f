// The programs of one network: embedding, block and head, forward and backward. A backward program recomputes its
// forward from the stage's input, so that between stages only the hidden states are kept. One block program serves
// every layer: weights are inputs, named by their place within the block.

import { loraShapes, targetsOf, withLora } from "../adapters/lora.ts";
import type { LoraConfig } from "../adapters/target.ts";
import { apply, gather, linear, logSoftmax, mul, neg, reshape } from "../graph/build.ts";
import { gradients } from "../graph/gradient.ts";
import { writeProgram } from "../graph/onnx.ts";
import type { Program } from "../graph/program.ts";
import { constant, input, type Tensor } from "../graph/tensor.ts";
import { causalAttention } from "../models/attention.ts";
import type { Model, Parameter } from "../models/model.ts";
import type { Extent } from "./batch.ts";

/** What is trained: an adapter's arrays over frozen weights, or every weight. */
export type Setup = { readonly model: Model; readonly adapter: LoraConfig | null };

export type Stage = { readonly forward: Program; readonly backward: Program };

/** Inputs of a stage made on demand, each once. */
function createParameters(shapes: readonly Parameter[]) {
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

/** Arrays of the adapter within one block. */
export function adapterParameters({ model, adapter }: Setup): Parameter[] {
  if (!adapter) return [];
  return targetsOf(adapter, model.linears).flatMap((target) => loraShapes(adapter, target));
}

/** Ids [n] to hidden states [n, hidden_size]; backward only serves full training. */
export function embeddingStage({ model }: Setup, rows: number): Stage {
  const { name, shape } = model.embeddingParameter;
  const weight = input(name, "float32", shape);
  const y = gather(weight, input("ids", "int64", [rows]));
  const dy = input("dy", "float32", y.shape);
  const [dWeight] = gradients([{ output: y, gradient: dy }], [weight]);
  return {
    forward: writeProgram("embedding", { y }),
    backward: writeProgram("embedding_backward", { [`d:${name}`]: dWeight! }),
  };
}

/** x [n, hidden_size] to y; backward: x and dy to dx and the gradient `d:NAME` of every trained array. */
export function blockStage(setup: Setup, extent: Extent): Stage {
  const { model, adapter } = setup;
  const { parameter, made } = createParameters([...model.blockParameters, ...adapterParameters(setup)]);
  const base = (from: Tensor, names: readonly string[]) =>
    names.map((name) => linear(from, parameter(`${name}.weight`)));
  const hook = adapter
    ? withLora(adapter, targetsOf(adapter, model.linears), { linear: base, parameter })
    : base;
  const x = input("x", "float32", [extent.batch * extent.length, model.hidden_size]);
  const y = model.block({ parameter, linear: hook, attend: causalAttention(model.attention, extent) }, x);
  const trained = adapter ? adapterParameters(setup) : model.blockParameters;
  const wrt = trained.map(({ name }) => made.get(name)!);
  const dy = input("dy", "float32", y.shape);
  const [dx, ...given] = gradients([{ output: y, gradient: dy }], [x, ...wrt]);
  const outputs = Object.fromEntries(trained.map(({ name }, i) => [`d:${name}`, given[i]!]));
  return {
    forward: writeProgram("block", { y }),
    backward: writeProgram("block_backward", { dx: dx!, ...outputs }),
  };
}

/**
 * Loss of `targets` positions of x [rows, hidden_size]: only these rows reach the vocabulary. Inputs: target_rows
 * int64 [m], labels int64 [m, 1], weights float32 [m] (1, or 0 for filling). Output nll [m], in nats, weighted;
 * backward gives dx of their sum as well.
 */
export function headStage(
  { model, adapter }: Setup,
  { rows, targets }: { rows: number; targets: number },
): Stage {
  const { parameter, made } = createParameters(model.headParameters);
  const x = input("x", "float32", [rows, model.hidden_size]);
  const picked = gather(x, input("target_rows", "int64", [targets]));
  const logProbabilities = logSoftmax(model.head({ parameter }, picked));
  const labels = input("labels", "int64", [targets, 1]);
  const chosen = reshape(apply("GatherElements", [logProbabilities, labels], { axis: 1 }), [targets]);
  const nll = mul(neg(chosen), input("weights", "float32", [targets]));
  const trained = adapter ? [] : model.headParameters;
  const ones = constant("float32", [targets], new Float32Array(targets).fill(1));
  const [dx, ...given] = gradients(
    [{ output: nll, gradient: ones }],
    [x, ...trained.map(({ name }) => made.get(name)!)],
  );
  const outputs = Object.fromEntries(trained.map(({ name }, i) => [`d:${name}`, given[i]!]));
  return {
    forward: writeProgram("head", { nll }),
    backward: writeProgram("head_backward", { nll, dx: dx!, ...outputs }),
  };
}

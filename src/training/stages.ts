// The programs of one network: embedding, block and head, forward and backward. A backward program recomputes its
// forward from the stage's input, so that between stages only the hidden states are kept. One block program serves
// every layer: weights are inputs, named by their place within the block.

import type { LoraConfig } from "../adapters/adapter.ts";
import { adapterParameters, blockHooks, createParameters } from "../adapters/hooks.ts";
import { apply, gather, logSoftmax, mul, neg, reshape } from "../graph/build.ts";
import { gradients } from "../graph/gradient.ts";
import { writeProgram } from "../graph/onnx.ts";
import type { Program } from "../graph/program.ts";
import { constant, input, type Tensor } from "../graph/tensor.ts";
import { causalAttention } from "../models/attention.ts";
import type { Model, Parameter } from "../models/model.ts";
import type { Extent } from "./batch.ts";

/** What is trained: an adapter's arrays over frozen weights, every weight, or nothing. */
export type Setup = {
  readonly model: Model;
  readonly adapter: LoraConfig | null;
  readonly trainable: "adapter" | "all" | "none";
};

type Part = readonly Parameter[];

function trainedOf(setup: Setup, weights: Part): Part {
  return { adapter: adapterParameters(setup.model, setup.adapter), all: weights, none: [] }[setup.trainable];
}

/** Gradients by the names of their outputs: `d:NAME` for each trained array. */
function named(trained: Part, given: readonly Tensor[]): Record<string, Tensor> {
  return Object.fromEntries(trained.map(({ name }, i) => [`d:${name}`, given[i]!]));
}

/** Ids int64 [n] to hidden states y [n, hidden_size]. */
export function embeddingForward({ model }: Setup, rows: number): Program {
  const { name, shape } = model.embeddingParameter;
  return writeProgram("embedding", {
    y: gather(input(name, "float32", shape), input("ids", "int64", [rows])),
  });
}

/** Ids and dy [n, hidden_size] to the gradient of the whole table; for full training only. */
export function embeddingBackward({ model }: Setup, rows: number): Program {
  const { name, shape } = model.embeddingParameter;
  const weight = input(name, "float32", shape);
  const y = gather(weight, input("ids", "int64", [rows]));
  const seed = { output: y, gradient: input("dy", "float32", y.shape) };
  return writeProgram("embedding_backward", named([model.embeddingParameter], gradients([seed], [weight])));
}

function buildBlock({ model, adapter }: Setup, extent: Extent) {
  const hooks = blockHooks(model, adapter);
  const x = input("x", "float32", [extent.batch * extent.length, model.hidden_size]);
  const y = model.block({ ...hooks, attend: causalAttention(model.attention, extent) }, x);
  return { x, y, made: hooks.made };
}

/** x [n, hidden_size] to y. */
export function blockForward(setup: Setup, extent: Extent): Program {
  return writeProgram("block", { y: buildBlock(setup, extent).y });
}

/** x and dy to dx and the gradient of every trained array of the block. */
export function blockBackward(setup: Setup, extent: Extent): Program {
  const { x, y, made } = buildBlock(setup, extent);
  const trained = trainedOf(setup, setup.model.blockParameters);
  const seed = { output: y, gradient: input("dy", "float32", y.shape) };
  const [dx, ...given] = gradients([seed], [x, ...trained.map(({ name }) => made.get(name)!)]);
  return writeProgram("block_backward", { dx: dx!, ...named(trained, given) });
}

type HeadExtent = { readonly rows: number; readonly targets: number };

function buildHead({ model }: Setup, { rows, targets }: HeadExtent) {
  const { parameter, made } = createParameters(model.headParameters);
  const x = input("x", "float32", [rows, model.hidden_size]);
  const picked = gather(x, input("target_rows", "int64", [targets]));
  const logProbabilities = logSoftmax(model.head({ parameter }, picked));
  const labels = input("labels", "int64", [targets, 1]);
  const chosen = reshape(apply("GatherElements", [logProbabilities, labels], { axis: 1 }), [targets]);
  return { x, nll: mul(neg(chosen), input("weights", "float32", [targets])), made };
}

/**
 * Loss of `targets` positions of x [rows, hidden_size]: only these rows reach the vocabulary. Inputs: target_rows
 * int64 [m], labels int64 [m, 1], weights float32 [m] (1, or 0 for filling). Output: nll [m], in nats, weighted.
 */
export function headForward(setup: Setup, extent: HeadExtent): Program {
  return writeProgram("head", { nll: buildHead(setup, extent).nll });
}

/** The same with dx [rows, hidden_size] of the summed loss, and the gradient of every trained array of the head. */
export function headBackward(setup: Setup, extent: HeadExtent): Program {
  const { x, nll, made } = buildHead(setup, extent);
  const trained = setup.trainable === "all" ? setup.model.headParameters : [];
  const ones = constant("float32", [extent.targets], new Float32Array(extent.targets).fill(1));
  const wrt = [x, ...trained.map(({ name }) => made.get(name)!)];
  const [dx, ...given] = gradients([{ output: nll, gradient: ones }], wrt);
  return writeProgram("head_backward", { nll, dx: dx!, ...named(trained, given) });
}

// The compute dial and the memory of a run: what was asked for is checked on a few of the run's own examples, what is
// left of memory goes into keeping what would else be computed twice, and both are told.

import { totalmem } from "node:os";
import type { Adapter } from "../../adapters/adapter.ts";
import { sizeOf } from "../../base/dtype.ts";
import { UserError } from "../../base/errors.ts";
import { type AnyModel, everyParameter } from "../../models/encoder-decoder.ts";
import type { ComputeCheck } from "../../training/calibration.ts";
import type { Compute } from "../../training/engine.ts";
import { type Fit, planFit } from "../../training/fit.ts";
import type { Network } from "../../training/network.ts";
import type { Resolved } from "../../training/options.ts";
import { choosePacking, type Packing } from "../../training/packing.ts";
import type { Plan, Shape } from "../../training/plan.ts";
import type { VocabularyForm } from "../../training/stages.ts";
import type { Storage } from "../../training/stored.ts";
import { formatBytes } from "../units.ts";
import type { Face } from "./face.ts";
import type { Material } from "./material.ts";

const READ_ANEW =
  "Frozen weights are read anew for every pass, in f32: slow, but held they do not fit the budget";

type Ready = {
  readonly engine: Network;
  readonly compute: Compute;
  readonly material: Material;
  /** Whether f32 weights that take the place of rounded ones are read anew. */
  readonly streams_f32: boolean;
};

/** Makes a network ready for its dial and says what the check found, and what is used. */
export async function prepareCompute(
  { engine, compute, material, streams_f32 }: Ready,
  { progress }: Face,
): Promise<ComputeCheck | null> {
  if (compute === "f32") return null;
  if (!engine.prepare) {
    progress.line(
      "Everything is computed in f32: XLNet's attention multiplies with arrays of three axes, and eight-bit products are made for linear layers",
    );
    return null;
  }
  progress.line("Checking eight-bit products on a few examples");
  const check = await engine.prepare(material.train.map(({ rendered }) => rendered));
  if (check) {
    progress.line(describeCheck(check));
    if (!check.passed && streams_f32) progress.line(READ_ANEW);
  } else progress.line("Nothing here is computed on eight-bit integers: everything that could be is trained");
  return check;
}

/** One line: both losses, the cosine, and the verdict. */
export function describeCheck({ f32_loss, int8_loss, cosine, passed }: ComputeCheck): string {
  return (
    `Loss ${int8_loss.toFixed(4)} on eight-bit integers, ${f32_loss.toFixed(4)} in f32; gradients agree to ` +
    `${cosine.toFixed(4)}: ${passed ? "near enough" : "too far apart, f32 is used"}`
  );
}

/** Weights from which eight-bit products are worth the seconds of their check. */
const WORTH_CHECKING = 50e6;

/** How frozen products are computed, where nothing is said: on eight bits when that pays and the network can. */
export function computeOf(
  model: AnyModel,
  { compute, storage, kind }: Pick<Resolved, "compute" | "storage" | "kind">,
): Compute {
  if (compute !== null) return compute as Compute;
  const canRound = kind === "adapter" && model.kind !== "two-stream" && storage === "f32";
  return canRound && sizeOfAll(model) >= WORTH_CHECKING ? "int8" : "f32";
}

function sizeOfAll(model: AnyModel): number {
  return everyParameter(model).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

/** How frozen weights are held; refuses what has no such form. */
export function requireStorage(
  model: AnyModel,
  { storage, compute, kind }: Pick<Resolved, "storage" | "compute" | "kind">,
): Storage {
  if (storage === "f32") return storage;
  if (compute === "int8") {
    throw new UserError(
      `Expected --compute f32 with --storage ${storage}, found --compute ${compute}, which holds weights in a form of its own; leave one of them out`,
    );
  }
  if (model.kind === "decoder" && kind === "adapter") return storage as Storage;
  const found = kind === "all" ? "every weight trained" : model.model_type;
  throw new UserError(
    `Expected an adapter of a decoder such as Llama or Qwen for --storage ${storage}, found ${found}; leave --storage out`,
  );
}

/** How a run's examples share rows; `null` where each has its own. */
export function planPacking(
  { model, material, max_length }: { model: AnyModel; material: Material; max_length: number },
  { packing }: Pick<Resolved, "packing">,
): Packing | null {
  if (model.kind === "decoder") {
    const { train, validation, older } = material;
    const sequences = [...train, ...validation, ...older].map(({ rendered }) => rendered);
    return choosePacking(sequences, max_length, packing);
  }
  if (!packing) return null;
  throw new UserError(
    `Expected a decoder such as Llama or Qwen for --packing, found ${model.model_type}; leave --packing out`,
  );
}

/** Without a budget half of the machine's memory is the limit for what is kept. */
const SHARE = 0.5;

/** What fits the budget, and what forward passes keep. */
export function planMemory(
  { shape, adapter }: { shape: Shape; adapter: Adapter | null },
  wish: Pick<Resolved, "memory" | "max_length" | "per_device_train_batch_size">,
): Fit {
  return planFit({ shape, adapter: adapter?.config ?? null }, wish, SHARE * totalmem());
}

type Dials = {
  readonly packing: Packing | null;
  readonly storage: Storage;
  readonly compute: Compute;
  /** How a decoder's matrices of the vocabulary are held. */
  readonly vocabulary: VocabularyForm;
};

/** What was chosen, in lines. */
export function explainPlan(
  plan: Plan,
  { keeping, kept_layers, kept, once, halved, staying, alone, ...dials }: Fit["kept"] & Dials,
): string[] {
  const { packing, storage, compute, vocabulary } = dials;
  const what = {
    nothing: "Nothing of the forward pass is kept: every block is computed again on the way back",
    attention: `Of the last ${kept_layers} blocks what attention gives is kept`,
    narrow: `Of the last ${kept_layers} blocks results of products that are as wide as their inputs are kept`,
    linear: `Of the last ${kept_layers} blocks all but attention's probabilities is kept`,
    all: `Of the last ${kept_layers} blocks everything dear is kept, and not computed twice`,
  }[keeping];
  return [
    `Sequences of at most ${plan.max_length} tokens, ${packing ? "short ones together in one row" : `${plan.batch} at a time`}`,
    `${what} (${formatBytes(kept)}${halved ? `, in ${staying === undefined ? "16" : "8 and 16"} bits` : ""})`,
    ...(plan.streams
      ? ["Frozen weights are read anew for every pass, in f32: slow, but nothing else fits"]
      : []),
    ...(storage === "f32" || plan.streams
      ? []
      : [`Frozen weights are held in blocks of 32, ${storage}, and multiplied in f32`]),
    ...(compute === "f32" || plan.streams
      ? []
      : [
          `Frozen products are computed on eight-bit integers${once ? ", of weights held once for both directions" : ""}, if a check on examples passes`,
        ]),
    ...(vocabulary === "f16"
      ? ["Matrices of the vocabulary are held in 16 bits, unless these lose more than a thousandth of them"]
      : []),
    ...(alone
      ? [
          "Programs are in memory one at a time and compiled anew for every pass, which takes a few hundredths longer",
        ]
      : []),
    plan.arena
      ? "Working memory is held from run to run"
      : "Working memory is given back after every run, which is slower and takes less",
    `Predicted peak: ${formatBytes(plan.memory)}`,
  ];
}

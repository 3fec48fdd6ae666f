// A model of a given shape with random weights, made fast: uniform with the deviation that models start from.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sizeOf } from "../../src/base/dtype.ts";
import { type EncoderDecoder, everyParameter } from "../../src/models/encoder-decoder.ts";
import { allParameters, type Model, type Parameter } from "../../src/models/model.ts";
import { createAnyModel, createModel } from "../../src/models/table.ts";
import { deviationOf } from "../../src/training/encoder-decoder-initial.ts";
import type { WeightSource } from "../../src/weights/source.ts";

const DEVIATION = 0.02;

export type RandomModel = { readonly model: Model; readonly read: WeightSource["read"] };

export function createRandomModel(shape: string): RandomModel {
  const model = createModel(readShape("shapes", shape));
  return { model, read: randomWeights(allParameters(model), () => DEVIATION) };
}

export type RandomPair = { readonly model: EncoderDecoder; readonly read: WeightSource["read"] };

/** The same of a model with an encoder and a decoder, whose arrays start with deviations of their own. */
export function createRandomPair(shape: string): RandomPair {
  const model = createAnyModel(readShape("pairs", shape));
  if (model.kind !== "encoder-decoder") throw new Error(`Expected two chains, found ${model.model_type}`);
  return { model, read: randomWeights(everyParameter(model), (parameter) => deviationOf(parameter, model)) };
}

function readShape(folder: string, shape: string) {
  return JSON.parse(readFileSync(join(import.meta.dirname, "..", folder, `${shape}.json`), "utf8"));
}

function randomWeights(
  parameters: readonly Parameter[],
  deviation: (parameter: Parameter) => number,
): WeightSource["read"] {
  const byName = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  return (name) => {
    const parameter = byName.get(name)!;
    const values = new Float32Array(sizeOf(parameter.shape));
    if (parameter.shape.length === 1) return values.fill(1);
    const scale = (deviation(parameter) * Math.sqrt(3)) / 2 ** 31;
    // By name: who reads twice reads the same.
    let state = [...name].reduce((hash, letter) => (Math.imul(hash, 31) + letter.charCodeAt(0)) | 0, 7);
    for (let i = 0; i < values.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      values[i] = state * scale;
    }
    return values;
  };
}

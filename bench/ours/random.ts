// A model of a given shape with random weights, made fast: uniform with the deviation that models start from.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sizeOf } from "../../src/base/dtype.ts";
import { allParameters, type Model } from "../../src/models/model.ts";
import { createModel } from "../../src/models/table.ts";
import type { WeightSource } from "../../src/weights/source.ts";

const DEVIATION = 0.02;

export type RandomModel = { readonly model: Model; readonly read: WeightSource["read"] };

export function createRandomModel(shape: string): RandomModel {
  const file = join(import.meta.dirname, "..", "shapes", `${shape}.json`);
  const model = createModel(JSON.parse(readFileSync(file, "utf8")));
  const shapes = new Map(allParameters(model).map((parameter) => [parameter.name, parameter.shape]));
  const scale = (DEVIATION * Math.sqrt(3)) / 2 ** 31;
  return {
    model,
    read: (name) => {
      const shape = shapes.get(name)!;
      const values = new Float32Array(sizeOf(shape));
      if (shape.length === 1) return values.fill(1);
      // By name: who reads twice reads the same.
      let state = [...name].reduce((hash, letter) => (Math.imul(hash, 31) + letter.charCodeAt(0)) | 0, 7);
      for (let i = 0; i < values.length; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) | 0;
        values[i] = state * scale;
      }
      return values;
    },
  };
}

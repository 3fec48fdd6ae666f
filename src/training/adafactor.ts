// Adafactor as transformers has it (transformers:src/transformers/optimization.py; Shazeer and Stern, 2018): of a
// matrix, or of each in a stack of them, only the row and column means of the squared gradient are kept, so that its
// state is small.

import type { OptionTable } from "../base/options.ts";
import { decayOf, type OptimizerState, type StateArray, type Trained, zeros } from "./trained.ts";

export const adafactorOptions = {
  scale_parameter: {
    type: "boolean",
    default: false,
    help: "Adafactor: multiply the learning rate by the size of each array",
  },
  relative_step: {
    type: "boolean",
    default: false,
    help: "Adafactor: its own learning rate, 1 / sqrt(step) and 0.01 at most, instead of the one given",
  },
} as const satisfies OptionTable;

export type AdafactorConfig = {
  readonly scale_parameter: boolean;
  readonly relative_step: boolean;
  readonly weight_decay: number;
  /** A slow start of relative steps: 1e-6 times the step at most. */
  readonly warmup_init?: boolean;
  /** Decay of a first moment; there is none when it is not given. */
  readonly beta1?: number;
};

/** Added to squared gradients, and the least size of an array that `scale_parameter` counts. */
const EPSILON = [1e-30, 1e-3] as const;
const CLIP_THRESHOLD = 1;
const DECAY_RATE = -0.8;

/** The state before the first step. */
export function createAdafactor(
  trained: ReadonlyMap<string, Trained>,
  { beta1 }: Pick<AdafactorConfig, "beta1"> = {},
): OptimizerState {
  const arrays = new Map<string, StateArray>();
  for (const [name, { shape }] of trained) {
    if (beta1 !== undefined) arrays.set(`exp_avg.${name}`, zeros(shape));
    if (shape.length < 2) {
      arrays.set(`exp_avg_sq.${name}`, zeros(shape));
    } else {
      arrays.set(`exp_avg_sq_row.${name}`, zeros(shape.slice(0, -1)));
      arrays.set(`exp_avg_sq_col.${name}`, zeros([...shape.slice(0, -2), shape.at(-1)!]));
    }
  }
  return { step: 0, arrays };
}

/** One step with the gradients as they stand, each multiplied by `scale` first. */
export function stepAdafactor(
  state: OptimizerState,
  trained: ReadonlyMap<string, Trained>,
  options: AdafactorConfig & { readonly learning_rate: number; readonly scale: number },
): void {
  state.step++;
  const beta2 = 1 - state.step ** DECAY_RATE;
  for (const [name, array] of trained) {
    const rate = rateOf(array, state.step, options);
    const factor = array.shape.length < 2 ? vectorFactor : matrixFactor;
    const moments = factor({ name, array, state, beta2, scale: options.scale });
    applyUpdate(array, moments, {
      rate,
      scale: options.scale,
      decay: 1 - decayOf(array, options.weight_decay) * rate,
      first: state.arrays.get(`exp_avg.${name}`)?.data,
      beta1: options.beta1 ?? 0,
    });
  }
}

function rateOf(
  { data }: Trained,
  step: number,
  options: AdafactorConfig & { readonly learning_rate: number },
): number {
  const most = options.warmup_init ? 1e-6 * step : 1e-2;
  const rate = options.relative_step ? Math.min(most, 1 / Math.sqrt(step)) : options.learning_rate;
  return options.scale_parameter ? rate * Math.max(EPSILON[1], rootMeanSquare(data)) : rate;
}

function rootMeanSquare(values: Float32Array): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]! * values[i]!;
  return Math.sqrt(total / values.length);
}

/** What a gradient at a place is multiplied with: the inverse root of its estimated mean square. */
type Factor = (index: number) => number;

type Moment = {
  readonly name: string;
  readonly array: Trained;
  readonly state: OptimizerState;
  readonly beta2: number;
  readonly scale: number;
};

function vectorFactor({ name, array: { gradient }, state, beta2, scale }: Moment): Factor {
  const { data } = state.arrays.get(`exp_avg_sq.${name}`)!;
  for (let i = 0; i < data.length; i++) {
    data[i] = beta2 * data[i]! + (1 - beta2) * ((gradient[i]! * scale) ** 2 + EPSILON[0]);
  }
  return (i) => 1 / Math.sqrt(data[i]!);
}

/** Of the last two axes; those before them count matrices. */
function matrixFactor({ name, array: { shape, gradient }, state, ...rest }: Moment): Factor {
  const [height, width] = shape.slice(-2) as [number, number];
  const area = height * width;
  const [rows, columns] = ["row", "col"].map((kind) => state.arrays.get(`exp_avg_sq_${kind}.${name}`)!.data);
  const factors = Array.from({ length: gradient.length / area }, (_, at) =>
    factorOfOne({
      gradient: gradient.subarray(at * area, (at + 1) * area),
      rows: rows!.subarray(at * height, (at + 1) * height),
      columns: columns!.subarray(at * width, (at + 1) * width),
      ...rest,
    }),
  );
  return factors.length === 1 ? factors[0]! : (i) => factors[Math.floor(i / area)]!(i % area);
}

type One = Pick<Moment, "beta2" | "scale"> & Readonly<Record<"gradient" | "rows" | "columns", Float32Array>>;

function factorOfOne({ gradient, rows, columns, beta2, scale }: One): Factor {
  const [height, width] = [rows.length, columns.length];
  const columnSums = new Float64Array(width);
  for (let row = 0; row < height; row++) {
    let sum = 0;
    for (let column = 0; column < width; column++) {
      const square = (gradient[row * width + column]! * scale) ** 2 + EPSILON[0];
      sum += square;
      columnSums[column]! += square;
    }
    rows[row] = beta2 * rows[row]! + (1 - beta2) * (sum / width);
  }
  for (let column = 0; column < width; column++) {
    columns[column] = beta2 * columns[column]! + (1 - beta2) * (columnSums[column]! / height);
  }
  const mean = rows.reduce((total, value) => total + value, 0) / height;
  const rowFactors = Float64Array.from(rows, (value) => 1 / Math.sqrt(value / mean));
  const columnFactors = Float64Array.from(columns, (value) => 1 / Math.sqrt(value));
  return (i) => rowFactors[Math.floor(i / width)]! * columnFactors[i % width]!;
}

type Update = {
  readonly rate: number;
  readonly scale: number;
  /** What stays of a value before the update. */
  readonly decay: number;
  readonly first: Float32Array | undefined;
  readonly beta1: number;
};

function applyUpdate({ data, gradient }: Trained, factor: Factor, update: Update): void {
  let total = 0;
  for (let i = 0; i < data.length; i++) total += (gradient[i]! * update.scale * factor(i)) ** 2;
  const clip = Math.max(1, Math.sqrt(total / data.length) / CLIP_THRESHOLD);
  const rate = (update.rate * update.scale) / clip;
  const { first, beta1 } = update;
  for (let i = 0; i < data.length; i++) {
    let change = gradient[i]! * factor(i) * rate;
    if (first) {
      change = beta1 * first[i]! + (1 - beta1) * change;
      first[i] = change;
    }
    data[i] = data[i]! * update.decay - change;
  }
}

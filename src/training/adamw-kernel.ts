// AdamW's loop over f32 arrays as WebAssembly, four values at a time: JavaScript converts every value to f64 and back and
// takes one at a time. Arrays stay where they are and go through the module's memory in pieces that stay in the
// processor's cache.

import {
  type Code,
  F32,
  get,
  I32,
  loadBlock,
  openWasm,
  set,
  storeBlock,
  V128,
  VOID,
  type WasmFunction,
  type WasmInstance,
  wide,
} from "../base/wasm.ts";

/** What one step does to a value of each: see `adamw.ts`, where these factors are put together. */
export type AdamwFactors = {
  readonly keep: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly ofFirst: number;
  readonly ofSecond: number;
  readonly numerator: number;
  readonly least: number;
};

export type AdamwArrays = Readonly<Record<"data" | "gradient" | "first" | "second", Float32Array>>;

/** Values of each array that are in the module's memory at a time: 64 kB. */
const PIECE = 16_384;

/** data·keep - numerator·m / (√v + least), m = beta1·m + ofFirst·g and v = beta2·v + ofSecond·g², in place and in f32. */
export function stepValues({ data, gradient, first, second }: AdamwArrays, factors: AdamwFactors): void {
  compiled ??= openWasm(STEP);
  const { run, memory } = compiled;
  const { keep, beta1, beta2, ofFirst, ofSecond, numerator, least } = factors;
  const own = Array.from({ length: 4 }, (_, i) => new Float32Array(memory, i * PIECE * 4, PIECE));
  for (let start = 0; start < data.length; start += PIECE) {
    const arrays = [data, first, second, gradient].map((array) => array.subarray(start, start + PIECE));
    arrays.forEach((array, i) => {
      own[i]!.set(array);
    });
    const values = arrays[0]!.length;
    // Past the end up to three values more are computed, which nobody reads.
    run(Math.ceil(values / 4) * 16, keep, beta1, beta2, ofFirst, ofSecond, numerator, least);
    for (let i = 0; i < 3; i++) arrays[i]!.set(own[i]!.subarray(0, values));
  }
}

let compiled: WasmInstance | undefined;

const SPLAT = wide(0x13);
const [SQRT, ADD, SUB, MUL, DIV] = [0xe3, 0xe4, 0xe5, 0xe6, 0xe7].map(wide) as [Code, Code, Code, Code, Code];

/** Offsets of the four arrays, and locals: the bytes left, seven factors as numbers, the address, and all as vectors. */
const [DATA, FIRST, SECOND, GRADIENT] = [0, 1, 2, 3].map((i) => i * PIECE * 4) as [
  number,
  number,
  number,
  number,
];
const FACTORS = 7;
const [END, AT] = [0, 1 + FACTORS];
const vector = (factor: number): Code => get(AT + 1 + factor);
const [KEEP, BETA1, BETA2, OF_FIRST, OF_SECOND, NUMERATOR, LEAST] = [0, 1, 2, 3, 4, 5, 6].map(vector) as [
  ...[Code, Code, Code, Code, Code, Code, Code],
];
const [G, M, V] = [AT + 1 + FACTORS, AT + 2 + FACTORS, AT + 3 + FACTORS] as const;

const SPLATS: Code = Array.from({ length: FACTORS }, (_, i) => [get(1 + i), SPLAT, set(AT + 1 + i)]);

/** The loop over 16 bytes of each array, from address 0 to END. */
function loopBody(): Code {
  const at = get(AT);
  return [
    [at, loadBlock(GRADIENT), set(G)],
    [BETA1, at, loadBlock(FIRST), MUL, OF_FIRST, get(G), MUL, ADD, set(M)],
    [BETA2, at, loadBlock(SECOND), MUL],
    [OF_SECOND, get(G), MUL, get(G), MUL, ADD, set(V)],
    [at, get(M), storeBlock(FIRST), at, get(V), storeBlock(SECOND)],
    [at, at, loadBlock(DATA), KEEP, MUL, NUMERATOR, get(M), MUL],
    [get(V), SQRT, LEAST, ADD, DIV, SUB, storeBlock(DATA)],
    // at += 16, and again (br_if) while at < END (i32.lt_u).
    [at, 0x41, 16, 0x6a, set(AT), at, get(END), 0x49, 0x0d, 0],
  ];
}

const STEP: WasmFunction = {
  parameters: [I32, ...Array<number>(FACTORS).fill(F32)],
  results: [],
  locals: [
    [1, I32],
    [FACTORS + 3, V128],
  ],
  // 0x03 begins a loop, 0x0b ends it.
  body: [SPLATS, 0x03, VOID, loopBody(), 0x0b],
  pages: (4 * PIECE * 4) / 65_536,
};

// AdamW's loop over f32 arrays as WebAssembly, four values at a time: JavaScript converts every value to f64 and back and
// takes one at a time. The module is put together here from instructions
// (https://webassembly.github.io/spec/core/binary/); arrays stay where they are and go through its memory in pieces that
// stay in the processor's cache.

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
  const { step, memory } = kernel();
  const { keep, beta1, beta2, ofFirst, ofSecond, numerator, least } = factors;
  const own = Array.from({ length: 4 }, (_, i) => new Float32Array(memory.buffer, i * PIECE * 4, PIECE));
  for (let start = 0; start < data.length; start += PIECE) {
    const arrays = [data, first, second, gradient].map((array) => array.subarray(start, start + PIECE));
    arrays.forEach((array, i) => {
      own[i]!.set(array);
    });
    const values = arrays[0]!.length;
    // Past the end up to three values more are computed, which nobody reads.
    step(Math.ceil(values / 4) * 16, keep, beta1, beta2, ofFirst, ofSecond, numerator, least);
    for (let i = 0; i < 3; i++) arrays[i]!.set(own[i]!.subarray(0, values));
  }
}

/** The part of WebAssembly's JavaScript interface that is used; Node's types have none of it. */
type Wasm = {
  readonly Memory: new (size: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: object,
  ) => { readonly exports: { readonly step: Kernel["step"] } };
};

type Kernel = {
  readonly step: (...numbers: number[]) => void;
  readonly memory: { readonly buffer: ArrayBuffer };
};

let compiled: Kernel | undefined;

function kernel(): Kernel {
  if (compiled) return compiled;
  const { Memory, Module, Instance } = (globalThis as unknown as { readonly WebAssembly: Wasm }).WebAssembly;
  const memory = new Memory({ initial: (4 * PIECE * 4) / 65_536 });
  const { exports } = new Instance(new Module(moduleBytes()), { own: { memory } });
  compiled = { step: exports.step, memory };
  return compiled;
}

/** An unsigned number of any size in LEB128. */
function leb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)];
}

/** Its size, then the content. */
const sized = (content: readonly number[]): number[] => [...leb(content.length), ...content];
const named = (name: string): number[] => sized([...Buffer.from(name)]);
const section = (id: number, content: readonly number[]): number[] => [id, ...sized(content)];

const [I32, F32, V128] = [0x7f, 0x7d, 0x7b];
const get = (local: number): number[] => [0x20, ...leb(local)];
const set = (local: number): number[] => [0x21, ...leb(local)];
const wide = (code: number): number[] => [0xfd, ...leb(code)];
/** 16 bytes at an address and an offset in bytes, aligned to four. */
const load = (offset: number): number[] => [...wide(0), 2, ...leb(offset)];
const store = (offset: number): number[] => [...wide(11), 2, ...leb(offset)];
const SPLAT = wide(0x13);
const [SQRT, ADD, SUB, MUL, DIV] = [0xe3, 0xe4, 0xe5, 0xe6, 0xe7].map(wide) as [
  number[],
  number[],
  number[],
  number[],
  number[],
];

/** Offsets of the four arrays, and locals: the bytes left, seven factors as numbers, the address, and all as vectors. */
const [DATA, FIRST, SECOND, GRADIENT] = [0, 1, 2, 3].map((i) => i * PIECE * 4) as [
  number,
  number,
  number,
  number,
];
const FACTORS = 7;
const [END, AT] = [0, 1 + FACTORS];
const vector = (factor: number): number[] => get(AT + 1 + factor);
const [KEEP, BETA1, BETA2, OF_FIRST, OF_SECOND, NUMERATOR, LEAST] = [0, 1, 2, 3, 4, 5, 6].map(vector) as [
  ...[number[], number[], number[], number[], number[], number[], number[]],
];
const [G, M, V] = [AT + 1 + FACTORS, AT + 2 + FACTORS, AT + 3 + FACTORS] as const;

/** The loop over 16 bytes of each array, from address 0 to END. */
function loopBody(): number[] {
  const at = get(AT);
  return [
    ...[...at, ...load(GRADIENT), ...set(G)],
    ...[...BETA1, ...at, ...load(FIRST), ...MUL, ...OF_FIRST, ...get(G), ...MUL, ...ADD, ...set(M)],
    ...[...BETA2, ...at, ...load(SECOND), ...MUL],
    ...[...OF_SECOND, ...get(G), ...MUL, ...get(G), ...MUL, ...ADD, ...set(V)],
    ...[...at, ...get(M), ...store(FIRST), ...at, ...get(V), ...store(SECOND)],
    ...[...at, ...at, ...load(DATA), ...KEEP, ...MUL, ...NUMERATOR, ...get(M), ...MUL],
    ...[...get(V), ...SQRT, ...LEAST, ...ADD, ...DIV, ...SUB, ...store(DATA)],
    // at += 16, and again (br_if) while at < END (i32.lt_u).
    ...[...at, 0x41, 16, 0x6a, ...set(AT), ...at, ...get(END), 0x49, 0x0d, 0],
  ];
}

function moduleBytes(): Uint8Array<ArrayBuffer> {
  const splats = Array.from({ length: FACTORS }, (_, i) => [
    ...get(1 + i),
    ...SPLAT,
    ...set(AT + 1 + i),
  ]).flat();
  const locals = [2, 1, I32, FACTORS + 3, V128];
  // 0x03 begins a loop that leaves nothing (0x40), 0x0b ends it and the function.
  const code = [...locals, ...splats, 0x03, 0x40, ...loopBody(), 0x0b, 0x0b];
  const parameters = [I32, ...Array<number>(FACTORS).fill(F32)];
  return Uint8Array.from([
    ...[0, ...Buffer.from("asm"), 1, 0, 0, 0],
    ...section(1, [1, 0x60, ...sized(parameters), 0]),
    ...section(2, [1, ...named("own"), ...named("memory"), 2, 0, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...named("step"), 0, 0]),
    ...section(10, [1, ...sized(code)]),
  ]);
}

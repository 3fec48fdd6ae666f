// Runs programs and owns the buffers they read and write; with `doctor.ts` the only place that knows onnxruntime.
// On the CPU a buffer is a typed array that the kernels read and write in place, so nothing is copied.

import * as ort from "onnxruntime-node";
import type { DType, TypedArray } from "../base/dtype.ts";
import { isSameShape, sizeOf } from "../base/dtype.ts";
import { isEnd, MARK, marked } from "./in-place.ts";

/** What a program needs to be run; `graph`'s `Program` is one. */
export type Runnable = {
  readonly name: string;
  readonly inputs: Readonly<Record<string, { readonly dtype: DType; readonly shape: readonly number[] }>>;
  readonly outputs: Readonly<Record<string, { readonly dtype: DType; readonly shape: readonly number[] }>>;
  readonly onnx: Uint8Array;
};

/** A tensor on the device. `data` is live: on the CPU a write to it is seen by the next run. */
export type Buffer = {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TypedArray;
  /** The runtime's own tensor; only this folder looks into it. */
  readonly handle: unknown;
};

export type Buffers = Readonly<Record<string, Buffer>>;

/**
 * Buffers by name; of several such records the first that has a name gives it. A list that was given before and has not
 * been changed is not looked through again.
 */
export type Given = Buffers | readonly Buffers[];

export type Executable = {
  /** Runs once. `into` names buffers to write outputs to; other outputs are new buffers. */
  run(feeds: Given, into?: Given): Promise<Buffers>;
  dispose(): Promise<void>;
};

export type DeviceOptions = {
  /** Threads inside one operator; 0 lets the runtime choose. */
  readonly threads: number;
  /** Whether working memory is kept between runs: faster, and larger by what rounding up to powers of two adds. */
  readonly arena: boolean;
};

/** A buffer over an array that stays the caller's; the array is not copied. */
export function createBuffer(dtype: DType, shape: readonly number[], data: TypedArray): Buffer {
  if (data.length !== sizeOf(shape)) {
    throw new Error(`Expected ${sizeOf(shape)} values for [${shape}], found ${data.length}`);
  }
  const handle = new ort.Tensor(dtype, data as ort.Tensor.DataType, shape) as ort.Tensor;
  return { dtype, shape, data, handle };
}

/** Compiles a program. */
export async function compile(program: Runnable, options: DeviceOptions): Promise<Executable> {
  const session = await ort.InferenceSession.create(marked(program.onnx), {
    executionProviders: ["cpu"],
    graphOptimizationLevel: "all",
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    enableCpuMemArena: options.arena,
    // A planned block for the whole run would come on top of what the arena holds from the first.
    enableMemPattern: false,
    logSeverityLevel: 3,
    // A waiting thread spins as long as waking it would take: less costs a sleep an operator, more stands in the way of
    // other sessions and programs.
    extra: {
      // Both put a transposition back into the product that it was taken out of, where it costs more.
      optimization: { disable_specified_optimizers: "GemmTransposeFusion;MatmulTransposeFusion" },
      session: { intra_op: { allow_spinning: "1", spin_duration_us: "100" } },
    },
  });
  // Not the program itself: its bytes are as large as its constants and have served.
  const { name, inputs, outputs } = program;
  const seen = { feeds: new WeakMap(), into: new WeakMap() };
  const loaded: Loaded = { name, inputs: specsOf(inputs), outputs: specsOf(outputs), session, seen };
  return {
    run: (feeds, into = {}) => run(loaded, feeds, into),
    dispose: () => session.release(),
  };
}

type Specs = readonly (readonly [string, Wanted])[];

/** Outputs as buffers, and as the runtime is given them. */
type Written = { readonly buffers: Buffers; readonly handles: Readonly<Record<string, ort.Tensor | null>> };

type Loaded = {
  readonly name: string;
  readonly inputs: Specs;
  readonly outputs: Specs;
  readonly session: ort.InferenceSession;
  /** What lists have come to. */
  readonly seen: {
    readonly feeds: WeakMap<object, Readonly<Record<string, ort.Tensor>>>;
    readonly into: WeakMap<object, Written>;
  };
};

function specsOf(named: Runnable["inputs"]): Specs {
  return Object.entries(named).map(([name, { dtype, shape }]) => [name, { dtype, shape }]);
}

/** Looks names up where they are: joining records costs more than the look. */
function lookUp(given: Given): (name: string) => Buffer | undefined {
  if (!isList(given)) return (name) => given[name];
  return (name) => given.find((buffers) => buffers[name])?.[name];
}

function isList(given: Given): given is readonly Buffers[] {
  return Array.isArray(given);
}

async function run(program: Loaded, feeds: Given, into: Given): Promise<Buffers> {
  const given = program.seen.feeds.get(feeds) ?? givenTo(program, feeds);
  const written = program.seen.into.get(into) ?? writtenBy(program, into);
  try {
    await program.session.run(given, written.handles);
  } catch (error) {
    if (!isEnd(error)) throw error;
  }
  return written.buffers;
}

function givenTo({ name: program, inputs, seen }: Loaded, feeds: Given) {
  const feedOf = lookUp(feeds);
  const given: Record<string, ort.Tensor> = {};
  for (const [name, spec] of inputs) {
    const buffer = feedOf(name);
    if (!fits(spec, buffer)) throw misfit(`${program}: expected ${name}`, spec, buffer);
    given[name] = buffer.handle as ort.Tensor;
  }
  if (isList(feeds)) seen.feeds.set(feeds, given);
  return given;
}

function writtenBy({ name: program, outputs, seen }: Loaded, into: Given): Written {
  const bufferOf = lookUp(into);
  const buffers: Record<string, Buffer> = {};
  const handles: Record<string, ort.Tensor | null> = { [MARK]: null };
  let isWhole = isList(into);
  for (const [name, spec] of outputs) {
    const found = bufferOf(name);
    const buffer = found ?? emptyBuffer(spec);
    if (!fits(spec, buffer)) throw misfit(`${program}: expected a buffer for ${name}`, spec, buffer);
    isWhole &&= found !== undefined;
    buffers[name] = buffer;
    handles[name] = buffer.handle as ort.Tensor;
  }
  // What was made for this run alone belongs to its caller.
  if (isWhole) seen.into.set(into, { buffers, handles });
  return { buffers, handles };
}

const arrayOf: Readonly<Record<DType, new (size: number) => TypedArray>> = {
  float32: Float32Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  bool: Uint8Array,
};

function emptyBuffer({ dtype, shape }: { dtype: DType; shape: readonly number[] }): Buffer {
  return createBuffer(dtype, shape, new arrayOf[dtype](sizeOf(shape)));
}

type Wanted = { readonly dtype: DType; readonly shape: readonly number[] };

/** Whether a buffer is as a program has it. */
function fits({ dtype, shape }: Wanted, buffer: Buffer | undefined): buffer is Buffer {
  return buffer !== undefined && buffer.dtype === dtype && isSameShape(buffer.shape, shape);
}

function misfit(expected: string, { dtype, shape }: Wanted, buffer: Buffer | undefined): Error {
  const found = buffer ? `${buffer.dtype}[${buffer.shape}]` : "nothing";
  return new Error(`${expected} as ${dtype}[${shape}], found ${found}`);
}

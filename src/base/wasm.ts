// WebAssembly modules of one function and a memory of their own, put together from instructions: for the few loops where
// sixteen bytes at a time are worth it. Numbers of types, sections and instructions are those of the WebAssembly core
// specification, version 2 (https://webassembly.github.io/spec/core/binary/). It knows no loop.

/** Bytes, nested as is convenient. */
export type Code = readonly (number | Code)[];

export const [I32, F32, V128, VOID] = [0x7f, 0x7d, 0x7b, 0x40] as const;

export type WasmFunction = {
  readonly parameters: readonly number[];
  readonly results: readonly number[];
  /** How many of each type, after the parameters. */
  readonly locals: readonly (readonly [count: number, type: number])[];
  /** Without the `end` of the function. */
  readonly body: Code;
  /** Of 64 KiB each. */
  readonly pages: number;
};

export type WasmInstance = {
  readonly memory: ArrayBuffer;
  readonly run: (...numbers: number[]) => number;
};

/** The part of WebAssembly's JavaScript interface that is used; Node's types have none of it. */
type Engine = {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
  ) => {
    readonly exports: {
      readonly memory: { readonly buffer: ArrayBuffer };
      readonly run: WasmInstance["run"];
    };
  };
};

/** Throws where the engine or the processor has no such instructions. */
export function openWasm(wanted: WasmFunction): WasmInstance {
  const { Module, Instance } = (globalThis as unknown as { readonly WebAssembly: Engine }).WebAssembly;
  const { memory, run } = new Instance(new Module(assemble(wanted))).exports;
  return { memory: memory.buffer, run };
}

function assemble({ parameters, results, locals, body, pages }: WasmFunction): Uint8Array<ArrayBuffer> {
  const code = flatten([[locals.length, locals], body, 0x0b]);
  return new Uint8Array(
    flatten([
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, [1, 0x60, parameters.length, parameters, results.length, results]),
      section(3, [1, 0]),
      section(5, [1, 1, unsigned(pages), unsigned(pages)]),
      section(7, [2, name("memory"), 2, 0, name("run"), 0, 0]),
      section(10, [1, unsigned(code.length), code]),
    ]),
  );
}

function section(id: number, content: Code): Code {
  const bytes = flatten(content);
  return [id, unsigned(bytes.length), bytes];
}

function name(text: string): Code {
  return [text.length, [...Buffer.from(text)]];
}

function flatten(code: Code): number[] {
  return code.flatMap((part) => (typeof part === "number" ? part : flatten(part)));
}

/** LEB128, seven bits a byte. */
export function unsigned(value: number): Code {
  return value < 128 ? [value] : [(value & 127) | 128, unsigned(value >>> 7)];
}

/** The same where the highest bit of the last byte is the sign. */
function signed(value: number): Code {
  return value < 64 ? [value] : [(value & 127) | 128, signed(value >> 7)];
}

export const get = (local: number): Code => [0x20, unsigned(local)];
export const set = (local: number): Code => [0x21, unsigned(local)];
export const int = (value: number): Code => [0x41, signed(value)];
/** An instruction on sixteen bytes. */
export const wide = (code: number): Code => [0xfd, unsigned(code)];
/** Sixteen bytes at an address and an offset, of no alignment. */
export const loadBlock = (offset: number): Code => [wide(0x00), 0, unsigned(offset)];
export const storeBlock = (offset: number): Code => [wide(0x0b), 0, unsigned(offset)];

// Compiled programs by key, and the part of a network's buffers that one program takes. Both ways of running a
// network, training and decoding, keep theirs here.

import {
  type Buffer,
  type Buffers,
  compile,
  type DeviceOptions,
  type Executable,
  type Runnable,
} from "./device.ts";

/** Owns compiled programs; each is compiled when it is first asked for. */
export class Programs {
  readonly #options: DeviceOptions;
  readonly #compiled = new Map<string, Executable>();

  constructor(options: DeviceOptions) {
    this.#options = options;
  }

  /** The program of that key; `threads` replaces the options' where an operator must not be divided. */
  async get(key: string, build: () => Runnable, threads = this.#options.threads): Promise<Executable> {
    const found = this.#compiled.get(key);
    if (found) return found;
    const executable = await compile(build(), { ...this.#options, threads });
    this.#compiled.set(key, executable);
    return executable;
  }

  /** Lets go of all programs; they are compiled again when asked for. */
  async dispose(): Promise<void> {
    const executables = [...this.#compiled.values()];
    this.#compiled.clear();
    for (const executable of executables) await executable.dispose();
  }
}

/** Buffers whose names begin with `prefix`, by the rest of their names. */
export function buffersUnder(buffers: ReadonlyMap<string, Buffer>, prefix: string): Buffers {
  const found: Record<string, Buffer> = {};
  for (const [name, buffer] of buffers) {
    if (name.startsWith(prefix)) found[name.slice(prefix.length)] = buffer;
  }
  return found;
}

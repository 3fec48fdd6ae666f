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

/**
 * Owns compiled programs; each is compiled when it is first asked for. `alone` holds one at a time, so that their working
 * memory is never there together, and compiles it anew whenever another was in use.
 */
export class Programs {
  readonly #options: DeviceOptions;
  readonly #alone: boolean;
  readonly #compiled = new Map<string, Executable>();
  readonly #built = new Map<string, Runnable>();

  constructor(options: DeviceOptions, alone: boolean = false) {
    this.#options = options;
    this.#alone = alone;
  }

  /** The program of that key; `threads` replaces the options' where an operator must not be divided. */
  async get(key: string, build: () => Runnable, threads = this.#options.threads): Promise<Executable> {
    const found = this.#compiled.get(key);
    if (found) return found;
    if (this.#alone) await this.#release();
    const program = this.#built.get(key) ?? plain(build());
    if (this.#alone) this.#built.set(key, program);
    const executable = await compile(program, { ...this.#options, threads });
    this.#compiled.set(key, executable);
    return executable;
  }

  /** Lets go of all programs; they are compiled again when asked for. */
  async dispose(): Promise<void> {
    this.#built.clear();
    await this.#release();
  }

  async #release(): Promise<void> {
    const executables = [...this.#compiled.values()];
    this.#compiled.clear();
    for (const executable of executables) await executable.dispose();
  }
}

/** A program without what else its builder knows of it. */
function plain({ name, inputs, outputs, onnx }: Runnable): Runnable {
  const specs = Object.entries(outputs).map(([key, { dtype, shape }]) => [key, { dtype, shape }]);
  return { name, inputs, outputs: Object.fromEntries(specs), onnx };
}

/** Buffers whose names begin with `prefix`, by the rest of their names with `mark` before it. */
export function buffersUnder(buffers: ReadonlyMap<string, Buffer>, prefix: string, mark = ""): Buffers {
  const found: Record<string, Buffer> = {};
  for (const [name, buffer] of buffers) {
    if (name.startsWith(prefix)) found[mark + name.slice(prefix.length)] = buffer;
  }
  return found;
}

// What a verb is: its words, its options, and one function. A command talks to the world only through its context,
// so that tests run it inside their own process.

import type { OptionTable, Values } from "../base/options.ts";
import type { Output } from "./output.ts";
import type { Progress } from "./progress.ts";

/** Something given by place; a `variadic` one is the last and takes all that is left. */
export type Argument = {
  readonly name: string;
  readonly help: string;
  readonly required: boolean;
  /** What is taken when it is not given. */
  readonly unset?: string;
  readonly variadic?: boolean;
};

export type ArgumentValues<A extends readonly Argument[]> = {
  readonly [P in A[number] as P["name"]]: P extends { variadic: true }
    ? readonly string[]
    : P extends { required: true }
      ? string
      : string | undefined;
};

/** Options that every command has. */
export const COMMON = {
  json: { type: "boolean", default: false, help: "Results as JSON, one object a line" },
  quiet: { type: "boolean", default: false, short: "q", help: "No progress on stderr" },
} as const satisfies OptionTable;

export type Context<
  T extends OptionTable = OptionTable,
  A extends readonly Argument[] = readonly Argument[],
> = {
  readonly args: ArgumentValues<A>;
  readonly options: Values<T> & Values<typeof COMMON>;
  /** Results. */
  readonly out: Output;
  /** Everything else: what is being done, warnings. */
  readonly progress: Progress;
  readonly input: AsyncIterable<Uint8Array>;
  /** Aborted by Ctrl-C: long work saves itself and throws the signal's reason (exit 130). */
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder that paths on the command line are relative to. */
  readonly cwd: string;
  /** Of the program. */
  readonly version: string;
};

export type Command<
  T extends OptionTable = OptionTable,
  A extends readonly Argument[] = readonly Argument[],
> = {
  readonly name: string;
  /** One line, no full stop. */
  readonly summary: string;
  readonly args: A;
  /** Keys are the option's names as Hugging Face writes them where one exists: `max_steps`. */
  readonly options: T;
  /** What is taken instead of defaults where something else was said; `said` has what was given and no defaults. */
  readonly instead?: (said: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;
  /** Command lines without the program's name, each with what it does: `["train --time 20m", "…"]`. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** More for the help text, such as the form of what is read. */
  readonly notes?: readonly { readonly title: string; readonly lines: readonly string[] }[];
  /** What exit codes other than the common ones mean. */
  readonly codes?: readonly (readonly [code: number, what: string])[];
  /** The exit code: 0, or 1 when the work itself says no. */
  run(context: Context<T, A>): Promise<number>;
};

/** Checks a command's `run` against its own tables, then forgets the exact types, so that commands fit in one list. */
export function defineCommand<const T extends OptionTable, const A extends readonly Argument[]>(
  command: Command<T, A>,
): Command {
  return command as unknown as Command;
}

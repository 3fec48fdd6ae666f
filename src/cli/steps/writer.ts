// A run opened for writing changes: base, adapter, decoder and tokenizer together, and the packing that its training
// had.

import { cpus } from "node:os";
import { join } from "node:path";
import type { OptionTable } from "../../base/options.ts";
import { formats } from "../../dataset/format.ts";
import { type Lengths, promptRoom } from "../../dataset/pack.ts";
import { openDecoder } from "../../generation/answer-decoder.ts";
import type { Limits } from "../../generation/ask.ts";
import { openBase } from "../../generation/base.ts";
import type { Writer } from "../../generation/suggest.ts";
import { openAdapterOf, openBaseOf } from "../base.ts";
import { type RunManifest, readRun } from "../run-folder.ts";

export const writerOptions = {
  run: { type: "string", default: null, help: "Run, by name or folder", unset: "the newest", value: "NAME" },
  max_new_tokens: {
    type: "integer",
    default: null,
    help: "Longest answer, in tokens",
    unset: "the max_out_len that the run was trained with, else 512",
    value: "N",
    least: 1,
  },
  max_context: {
    type: "integer",
    default: null,
    help: "Length that requests are packed for, in tokens: three quarters of it are theirs",
    unset: "the length that the run was trained with",
    value: "N",
    least: 32,
  },
  adapter_scale: {
    type: "number",
    default: 1,
    help: "Strength of the adapter: 0 is the base, 1 as trained",
    value: "X",
    least: 0,
  },
} as const satisfies OptionTable;

const LONGEST_ANSWER = 512;

/** Exit code when the model gave no change that could be proven. */
export const NO_CHANGE = 3;

export const NO_CHANGE_CODES = [
  [NO_CHANGE, "no change could be proven to apply; the reason is on stderr, nothing of it on stdout"],
] as const;

/** Files that the run's examples changed together; runs of before that option had one. */
export function maxFilesOf({ options }: RunManifest): number {
  return typeof options.max_files === "number" ? options.max_files : 1;
}

/** The lengths that the run's examples had. */
export function lengthsOf({ max_length, options }: Pick<RunManifest, "max_length" | "options">): Lengths {
  const { max_in_len, max_out_len } = options as Omit<Lengths, "max_length">;
  return { max_length, max_in_len, max_out_len };
}

type Wish = {
  readonly folder: string;
  readonly max_new_tokens: number | null;
  readonly max_context: number | null;
  readonly adapter_scale: number;
};

export type OpenWriter = {
  readonly writer: Writer;
  readonly limits: Limits;
  readonly dispose: () => Promise<void>;
};

/** Opens a finished run; the caller disposes of it. */
export function openWriter(wish: Wish, signal: AbortSignal): OpenWriter {
  const run = readRun(wish.folder);
  const max_new_tokens = wish.max_new_tokens ?? lengthsOf(run).max_out_len ?? LONGEST_ANSWER;
  const base = run.kind === "all" ? openBase(join(wish.folder, "model")) : openBaseOf(run, wish.folder);
  const adapter = openAdapterOf({ ...wish, kind: run.kind }, wish.folder, base);
  const positions = base.model.max_position_embeddings;
  // Requests have the length that they had in training, whatever room there is for answers behind them.
  const lengths = wish.max_context === null ? lengthsOf(run) : { max_length: wish.max_context };
  const room = promptRoom({ ...lengths, max_length: Math.min(lengths.max_length, positions) });
  const capacity = Math.min(room + max_new_tokens, positions);
  const { model, read, tokenizer } = base;
  const device = { threads: cpus().length, arena: true };
  const decoder = openDecoder({ model, read, adapter, capacity, device });
  return {
    writer: { decoder, tokenizer, format: formats[run.format], max_new_tokens, signal },
    limits: { room, max_files: maxFilesOf(run) },
    dispose: async () => {
      await decoder.dispose();
      base.source.dispose();
    },
  };
}

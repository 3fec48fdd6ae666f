// A run opened for writing changes: base, adapter, decoder and tokenizer together.

import { cpus } from "node:os";
import { join } from "node:path";
import { requireMatch } from "../../adapters/match.ts";
import { readPeft } from "../../adapters/peft.ts";
import type { OptionTable } from "../../base/options.ts";
import { formats } from "../../dataset/format.ts";
import { openBase } from "../../generation/base.ts";
import { Decoder } from "../../generation/decoder.ts";
import type { Writer } from "../../generation/suggest.ts";
import { openBaseOf } from "../base.ts";
import { readRun } from "../workspace.ts";

export const writerOptions = {
  run: { type: "string", default: null, help: "Run, by name or folder", unset: "the newest", value: "NAME" },
  max_new_tokens: { type: "integer", default: 512, help: "Longest answer, in tokens", value: "N", least: 1 },
  max_context: {
    type: "integer",
    default: null,
    help: "Tokens of request and answer",
    unset: "the model's, 4096 at most",
    value: "N",
    least: 32,
  },
} as const satisfies OptionTable;

/** Exit code when the model gave no change that could be proven. */
export const NO_CHANGE = 3;

export const NO_CHANGE_CODES = [
  [NO_CHANGE, "no change could be proven to apply; the reason is on stderr, nothing of it on stdout"],
] as const;

type Wish = { readonly folder: string; readonly max_new_tokens: number; readonly max_context: number | null };

/** Opens a finished run; the caller disposes of it. */
export function openWriter(
  wish: Wish,
  signal: AbortSignal,
): { writer: Writer; dispose: () => Promise<void> } {
  const run = readRun(wish.folder);
  const base = run.kind === "all" ? openBase(join(wish.folder, "model")) : openBaseOf(run, wish.folder);
  const adapter = run.kind === "adapter" ? readPeft(wish.folder) : null;
  if (adapter) requireMatch(adapter, base.model);
  const capacity = Math.min(wish.max_context ?? 4096, base.model.max_position_embeddings);
  const decoder = new Decoder({
    model: base.model,
    read: base.read,
    adapter,
    capacity,
    device: { threads: cpus().length, arena: true },
  });
  const { tokenizer } = base;
  const { max_new_tokens } = wish;
  return {
    writer: { decoder, tokenizer, format: formats[run.format], max_new_tokens, signal },
    dispose: async () => {
      await decoder.dispose();
      base.source.dispose();
    },
  };
}

// A run opened for writing changes: base, adapter, decoder and tokenizer together.

import { cpus } from "node:os";
import { join } from "node:path";
import { requireMatch } from "../../adapters/match.ts";
import { readPeft } from "../../adapters/peft.ts";
import { UserError } from "../../base/errors.ts";
import type { OptionTable } from "../../base/options.ts";
import { formats } from "../../dataset/format.ts";
import { Decoder } from "../../generation/decoder.ts";
import type { Writer } from "../../generation/suggest.ts";
import { openBase } from "../base.ts";
import { readRun } from "../workspace.ts";

export const writerOptions = {
  run: { type: "string", default: null, help: "Run, by name or folder [the newest]", value: "NAME" },
  max_new_tokens: { type: "integer", default: 512, help: "Longest answer", value: "N" },
  max_context: {
    type: "integer",
    default: null,
    help: "Tokens of request and answer [the model's, 4096 at most]",
    value: "N",
  },
} as const satisfies OptionTable;

/** Exit code when the model gave no change that could be proven. */
export const NO_CHANGE = 3;

type Wish = { readonly folder: string; readonly max_new_tokens: number; readonly max_context: number | null };

/** Opens a finished run; the caller disposes of it. */
export function openWriter(
  wish: Wish,
  signal: AbortSignal,
): { writer: Writer; dispose: () => Promise<void> } {
  const run = readRun(wish.folder);
  const base = openBase(run.kind === "all" ? join(wish.folder, "model") : run.base);
  const adapter = run.kind === "adapter" ? readPeft(wish.folder) : null;
  if (adapter) requireMatch(adapter, base.model);
  if (run.kind === "adapter" && base.source.hash() !== run.base_sha256) {
    throw new UserError(
      `Expected the base that ${wish.folder} was trained on, found other weights in ${run.base}; put the former back or train again`,
    );
  }
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

// From what a person asks for to proven changes: files are packed into requests by the rule of training, one answer
// each, and no two changes may get in each other's way.

import { failure } from "../base/result.ts";
import { fitAsk } from "../dataset/fitting.ts";
import type { Ask } from "../dataset/pack.ts";
import { filesToChange, type Request } from "../dataset/request.ts";
import { type Suggestion, suggest, type Writer } from "./suggest.ts";

/** How requests are packed: tokens of a prompt, and files that one changes, at most. */
export type Limits = { readonly room: number; readonly max_files: number };

/** A request, and what came of it. */
export type Asked = { readonly request: Request; readonly suggestion: Suggestion };

/** The requests of an ask, before any is answered. */
export function packAsk(
  { tokenizer, format }: Writer,
  ask: Ask,
  limits: Limits,
): Promise<readonly Request[]> {
  return fitAsk(ask, { tokenizer, format, ...limits });
}

/** Answers requests one after another; the diffs of all that succeed can be applied together. */
export async function* suggestAll(
  writer: Writer,
  requests: readonly Request[],
): AsyncGenerator<Asked, void, undefined> {
  const names = new Set(requests.flatMap((request) => request.files.map(({ path }) => path)));
  for (const request of requests) {
    const { answer, change } = await suggest(writer, request);
    const own = new Set(filesToChange(request).map(({ path }) => path));
    const moved = change.ok ? change.value.files.map(({ patch }) => patch.path) : [];
    const taken = moved.find((path) => !own.has(path) && names.has(path));
    for (const path of moved) names.add(path);
    yield {
      request,
      suggestion: {
        answer,
        change: taken === undefined ? change : failure(`${taken} is the name of another file`),
      },
    };
  }
}

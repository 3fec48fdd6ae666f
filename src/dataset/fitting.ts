// Examples as ids that fit a length. What does not fit is counted, never cut.

import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Example } from "./example.ts";
import type { Format } from "./format.ts";
import { type Rendered, renderExamples } from "./render.ts";

/** An example with its ids. */
export type FittingExample = { readonly example: Example; readonly rendered: Rendered };

export type Fitting = {
  readonly items: readonly FittingExample[];
  /** Examples of more tokens than the length. */
  readonly tooLong: number;
};

/** Characters that are encoded in one call: the tokenizer's working memory is some hundred times its text. */
const TOGETHER = 200_000;
/** Source text never comes near this many characters a token; what is longer need not be encoded to know. */
const MOST_CHARACTERS_A_TOKEN = 8;

/** Renders examples of at most `max_length` ids, in order; yields how many were looked at so far. */
export async function* renderFitting(
  examples: Iterable<Example>,
  { tokenizer, format, max_length }: { tokenizer: Tokenizer; format: Format; max_length: number },
): AsyncGenerator<number, Fitting> {
  const items: FittingExample[] = [];
  let tooLong = 0;
  for (const group of groupsOf(examples, max_length * MOST_CHARACTERS_A_TOKEN)) {
    tooLong += group.skipped;
    const rendered = await renderExamples(tokenizer, format, group.examples);
    rendered.forEach((result, i) => {
      if (!result.ok || result.value.ids.length > max_length) tooLong++;
      else items.push({ example: group.examples[i]!, rendered: result.value });
    });
    yield items.length + tooLong;
  }
  return { items, tooLong };
}

type Group = { readonly examples: readonly Example[]; readonly skipped: number };

/** Runs of examples that are encoded together, and how many larger than `limit` stood between them. */
function* groupsOf(examples: Iterable<Example>, limit: number): Generator<Group> {
  let waiting: Example[] = [];
  let characters = 0;
  let skipped = 0;
  for (const example of examples) {
    const size = (example.old?.length ?? 0) + example.message.length + example.diff.length;
    if (size > limit) {
      skipped++;
      continue;
    }
    waiting.push(example);
    characters += size;
    if (characters <= TOGETHER) continue;
    yield { examples: waiting, skipped };
    [waiting, characters, skipped] = [[], 0, 0];
  }
  if (waiting.length > 0 || skipped > 0) yield { examples: waiting, skipped };
}

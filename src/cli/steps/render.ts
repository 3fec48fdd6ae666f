// Examples as ids that fit a length. What does not fit is counted, never cut.

import type { Example } from "../../dataset/example.ts";
import type { Format } from "../../dataset/format.ts";
import { type Rendered, renderExamples } from "../../dataset/render.ts";
import type { Tokenizer } from "../../tokenizer/tokenizer.ts";
import type { Face } from "./face.ts";

export type Fitting = {
  readonly items: readonly { readonly example: Example; readonly rendered: Rendered }[];
  /** Examples of more tokens than the length. */
  readonly tooLong: number;
};

/** Characters that are encoded in one call: the tokenizer's working memory is some hundred times its text. */
const TOGETHER = 200_000;
/** Source text never comes near this many characters a token; what is longer need not be encoded to know. */
const MOST_CHARACTERS_A_TOKEN = 8;

export async function renderFitting(
  examples: Iterable<Example>,
  { tokenizer, format, max_length }: { tokenizer: Tokenizer; format: Format; max_length: number },
  face: Face & { readonly label: string },
): Promise<Fitting> {
  const items: { example: Example; rendered: Rendered }[] = [];
  let tooLong = 0;
  let waiting: Example[] = [];
  let characters = 0;
  const flush = async () => {
    const rendered = await renderExamples(tokenizer, format, waiting);
    rendered.forEach((result, i) => {
      if (result.ok && result.value.ids.length <= max_length)
        items.push({ example: waiting[i]!, rendered: result.value });
      else tooLong++;
    });
    waiting = [];
    characters = 0;
    face.progress.update({ label: face.label, done: items.length + tooLong, unit: "examples" });
  };
  for (const example of examples) {
    face.signal.throwIfAborted();
    const size = (example.old?.length ?? 0) + example.message.length + example.diff.length;
    if (size > max_length * MOST_CHARACTERS_A_TOKEN) {
      tooLong++;
      continue;
    }
    waiting.push(example);
    characters += size;
    if (characters > TOGETHER) await flush();
  }
  if (waiting.length > 0) await flush();
  face.progress.finish();
  return { items, tooLong };
}

// Examples drawn to be looked at, with the texts that a model sees. Drawn by their places among all examples, so that
// one pass over the dataset suffices and the same seed shows the same ones.

import { createRandom } from "../base/random.ts";
import type { Example, Split } from "../dataset/example.ts";
import { renderFitting } from "../dataset/fitting.ts";
import { answerOf, type Format, patchOf } from "../dataset/format.ts";
import { requestOf } from "../dataset/request.ts";
import type { ForModel } from "./size.ts";

export type Sample = {
  readonly split: Split;
  readonly commit: string;
  /** Of all files that are to change. */
  readonly paths: readonly string[];
  readonly prompt: string;
  readonly answer: string;
};

/** `count` different places below `total`, in order. */
export function drawPlaces(seed: number, count: number, total: number): readonly number[] {
  const random = createRandom(seed);
  const places = new Set<number>();
  while (places.size < Math.min(count, total)) places.add(random.below(total));
  return [...places].sort((a, b) => a - b);
}

/** An example with those of its commit, which a model sees together. */
export type Drawn = { readonly split: Split; readonly example: Example; readonly commit: readonly Example[] };

export type View = { readonly format: Format; readonly model: ForModel | null; readonly max_files: number };

/** The sample as a model sees it; undefined where it sees nothing of it. Without a model each file stands alone, whole. */
export async function showSample({ split, example, commit }: Drawn, view: View): Promise<Sample | undefined> {
  const { hash, paths } = { hash: example.commit, paths: [example.path] };
  if (view.model === null) {
    const answer = answerOf(view.format, example);
    const prompt = view.format.prompt(requestOf(example));
    return answer.ok ? { split, commit: hash, paths, prompt, answer: answer.value } : undefined;
  }
  const shown = await packed(example, commit, { ...view, model: view.model });
  return shown && { split, commit: hash, ...shown };
}

type Texts = Pick<Sample, "paths" | "prompt" | "answer">;

async function packed(
  example: Example,
  commit: readonly Example[],
  { format, model, max_files }: View & { readonly model: ForModel },
): Promise<Texts | undefined> {
  const { tokenizer, context: max_length } = model;
  const rule = { tokenizer, format, max_length, max_files, purpose: "train" } as const;
  const work = renderFitting(commit, rule, (_, { request, examples }): Texts | undefined => {
    if (!examples.includes(example)) return undefined;
    const wanted = examples.flatMap((one) => {
      const patch = patchOf(one);
      return patch.ok ? [{ patch: patch.value, diff: one.diff }] : [];
    });
    const answer = format.answer(request, wanted);
    const paths = examples.map(({ path }) => path);
    return answer.ok ? { paths, prompt: format.prompt(request), answer: answer.value } : undefined;
  });
  for (;;) {
    const next = await work.next();
    if (next.done) return next.value.items.find((texts) => texts !== undefined);
  }
}

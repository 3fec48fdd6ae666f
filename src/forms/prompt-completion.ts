// The `prompt-completion` form: JSON lines of what the model reads and what it is to write, for trainers that take
// plain texts (TRL, "prompt-completion"). The texts are those of an answer format; the end of sequence is left to the
// trainer.

import { join } from "node:path";
import type { Example, Split } from "../dataset/example.ts";
import { answerOf, type Format } from "../dataset/format.ts";
import { requestOf } from "../dataset/request.ts";
import { type Dropped, splits } from "../dataset/store.ts";
import { firstRecord } from "./first-record.ts";
import type { Form, FormWriter } from "./form.ts";
import { openLineFiles } from "./split-files.ts";

const fileOf = (split: Split) => `${split}.jsonl`;

export const promptCompletion: Form = {
  name: "prompt-completion",
  summary: '{"prompt", "completion"} lines for other trainers, in an answer format',
  formatted: true,
  dataFile: fileOf,
  entries: splits.map(fileOf),
  open: (folder, format) =>
    openTexts(folder, format, ({ prompt, answer }) => ({ prompt, completion: answer })),
  matches: (folder) => typeof firstRecord(join(folder, fileOf("train")))?.["completion"] === "string",
  read: null,
};

type Texts = { readonly prompt: string; readonly answer: string };

/** Writes a record for each example that the answer format can express. */
export function openTexts(folder: string, format: Format, record: (texts: Texts) => object): FormWriter {
  const files = openLineFiles(folder, fileOf);
  return {
    add: (split, example) => {
      const answer = answerOf(format, example);
      if (!answer.ok) return [dropped(example, answer.reason)];
      const texts = { prompt: format.prompt(requestOf(example)), answer: answer.value };
      files.write(split, JSON.stringify(record(texts)));
      return [];
    },
    finish: () => {
      files.finish();
      return [];
    },
    abort: files.abort,
  };
}

function dropped({ commit, path }: Example, detail: string): Dropped {
  return { commit, path, reason: "no-answer", detail };
}

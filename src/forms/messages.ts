// The `messages` form: JSON lines of a conversation of two turns, for trainers that apply a chat template of their
// own (TRL, "conversational"). The texts are those of the `prompt-completion` form.

import { join } from "node:path";
import type { Split } from "../dataset/example.ts";
import { splits } from "../dataset/store.ts";
import { firstRecord } from "./first-record.ts";
import type { Form } from "./form.ts";
import { openTexts } from "./prompt-completion.ts";

const fileOf = (split: Split) => `${split}.jsonl`;

export const messages: Form = {
  name: "messages",
  summary: '{"messages": [user, assistant]} lines for other trainers, in an answer format',
  formatted: true,
  dataFile: fileOf,
  entries: splits.map(fileOf),
  open: (folder, format) =>
    openTexts(folder, format, ({ prompt, answer }) => ({
      messages: [
        { role: "user", content: prompt },
        { role: "assistant", content: answer },
      ],
    })),
  matches: (folder) => Array.isArray(firstRecord(join(folder, fileOf("train")))?.["messages"]),
  read: null,
};

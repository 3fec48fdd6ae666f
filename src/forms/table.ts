// The forms by name. To add one: write its file, add its name to `FormName` and its row here.

import type { Form, FormName } from "./form.ts";
import { json2022 } from "./json2022.ts";
import { messages } from "./messages.ts";
import { pairs } from "./pairs.ts";
import { parquet } from "./parquet.ts";
import { promptCompletion } from "./prompt-completion.ts";

export const forms: Readonly<Record<FormName, Form>> = {
  parquet,
  "prompt-completion": promptCompletion,
  messages,
  pairs,
  json2022,
};

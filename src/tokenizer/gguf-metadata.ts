// The parts of a GGUF file's metadata that every kind of tokenizer has. Keys: ggml's docs/gguf.md.

import { UserError } from "../base/errors.ts";
import { showValue } from "../base/show.ts";
import { isRecord } from "./json.ts";

export type Metadata = Readonly<Record<string, unknown>>;

/** The texts under a key, or a `UserError`. */
export function texts(metadata: Metadata, key: string): readonly string[] {
  const value = metadata[key];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  const found = isRecord(value) || value === undefined ? "none" : typeof value;
  throw new UserError(
    `Expected texts under ${key} in the GGUF file, found ${found}: the file carries no complete tokenizer`,
  );
}

/** "a b" is a pair; no letter of the byte alphabet is a space, and pieces have another sign for it. */
export function mergePair(merge: string): [string, string] {
  const [left, right, ...rest] = merge.split(" ");
  if (!left || !right || rest.length > 0) {
    throw new UserError(
      `Expected pairs in tokenizer.ggml.merges, found ${showValue(merge)}: the GGUF file is damaged`,
    );
  }
  return [left, right];
}

const ROLES = { bos_token: "bos", eos_token: "eos", pad_token: "padding", unk_token: "unknown" } as const;

/** The keys of tokenizer_config.json that follow from the metadata: named tokens, where there are such, and the chat template. */
export function namesOf(metadata: Metadata): Record<string, unknown> {
  const tokens = metadata["tokenizer.ggml.tokens"];
  const names = Object.entries(ROLES).flatMap(([name, role]) => {
    const id = metadata[`tokenizer.ggml.${role}_token_id`];
    const token: unknown = typeof id === "number" && Array.isArray(tokens) ? tokens[id] : undefined;
    return typeof token === "string" ? [[name, token] as const] : [];
  });
  const template = metadata["tokenizer.chat_template"];
  return {
    ...Object.fromEntries(names),
    ...(typeof template === "string" ? { chat_template: template } : {}),
  };
}

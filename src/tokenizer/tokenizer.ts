// What the rest of the program knows of a tokenizer. Text becomes ids and back; special tokens are never added
// here: whoever renders an example adds them by id.

/** Text to ids and back. A text that UTF-8 cannot write (half a surrogate pair) is refused with a `UserError`. */
export type Tokenizer = {
  /** Ids of a text, no special tokens added; a special token's own spelling inside the text is read as plain text. */
  encode(text: string): Promise<number[]>;
  encodeBatch(texts: readonly string[]): Promise<number[][]>;
  /** The text of ids; special tokens are left out. */
  decode(ids: readonly number[]): Promise<string>;
  /** Number of ids, added tokens included. */
  readonly vocabSize: number;
  readonly eosId: number;
  readonly bosId: number | undefined;
  /** Whether the reference puts `bosId` in front of a sequence. */
  readonly addBos: boolean;
  /** Whether a prompt ends with `eosId`, as what an encoder reads does; not where it is left out. */
  readonly closesPrompt?: boolean;
  /** Contents of the Hugging Face files that describe it: `tokenizer.json`, `tokenizer_config.json`. */
  files(): Readonly<Record<string, string>>;
};

// What a form is: another way to keep the examples of a dataset, for other programs and from other times. A form is
// a row of a table (`table.ts`): how its files are written, how a folder of it is known, and how it is read back.

import type { Example, Split } from "../dataset/example.ts";
import type { Format } from "../dataset/format.ts";
import type { Dropped } from "../dataset/store.ts";

export type FormName = "parquet" | "prompt-completion" | "messages" | "pairs" | "json2022";

/** The files of a form while they are written; examples come in the dataset's order. */
export type FormWriter = {
  /** Takes one example; returns what it could not keep, this one or an earlier one of the same commit. */
  add(split: Split, example: Example): readonly Dropped[];
  /** Writes what is waiting and gives all files their names; returns what could still not be kept. */
  finish(): readonly Dropped[];
  /** Closes what is open; does nothing after `finish`. */
  abort(): void;
};

/** What a record of a form is once read: an example, or why it is none. `split` is null where the form has no splits. */
export type FormRecord =
  | { readonly type: "example"; readonly split: Split | null; readonly example: Example }
  | { readonly type: "dropped"; readonly dropped: Dropped };

export type Form = {
  readonly name: FormName;
  readonly summary: string;
  /** Whether its texts depend on the answer format. */
  readonly formatted: boolean;
  /** The names in its folder that hold a split, for a reader such as Hugging Face `datasets`; null for none that
   * it reads. */
  readonly dataFile: ((split: Split) => string) | null;
  /** Everything it may write in its folder. */
  readonly entries: readonly string[];
  open(folder: string, format: Format): FormWriter;
  /** Whether a folder that does not say what it is looks like this form. */
  matches(folder: string): boolean;
  /** The records of a folder, in order; null for a form that does not keep what an example is made of. */
  readonly read: ((folder: string) => AsyncIterable<FormRecord> | Iterable<FormRecord>) | null;
};

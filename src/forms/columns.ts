// The columns of an example, for tables that have types: Parquet (parquet-format, LogicalTypes) and the `features` of
// a dataset card (Hugging Face `datasets`). A field added to `Example` is a compile error here until it has a row.

import type { Example } from "../dataset/example.ts";

export type Column = {
  readonly parquet: "STRING" | "TIMESTAMP" | "DOUBLE";
  readonly nullable: boolean;
  /** The `dtype` of Hugging Face `datasets` in JSON lines; in Parquet the file itself says it. */
  readonly json: "string" | "int64" | "float64";
};

const text = { parquet: "STRING", nullable: false, json: "string" } as const;

/** In the order of the dataset's own lines. */
export const columns: Readonly<Record<keyof Example, Column>> = {
  message: text,
  path: text,
  old: { ...text, nullable: true },
  diff: text,
  commit: text,
  parent: { ...text, nullable: true },
  time: { parquet: "TIMESTAMP", nullable: false, json: "int64" },
  author: text,
  weight: { parquet: "DOUBLE", nullable: false, json: "float64" },
};

export const columnNames = Object.keys(columns) as readonly (keyof Example)[];

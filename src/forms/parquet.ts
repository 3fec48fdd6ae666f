// The `parquet` form: the columns of an example, one file for each split (parquet-format; written with
// hyparquet-writer, read with hyparquet). Rows go out in groups of a few megabytes, so that memory does not grow with
// the history. Times are timestamps in UTC here, where JSON lines have seconds.

import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { type AsyncBuffer, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { UserError } from "../base/errors.ts";
import type { AtomicFile } from "../base/files.ts";
import type { Example, Split } from "../dataset/example.ts";
import { splits } from "../dataset/store.ts";
import { columnNames, columns } from "./columns.ts";
import type { Form, FormRecord, FormWriter } from "./form.ts";
import { openSplitFiles } from "./split-files.ts";

const fileOf = (split: Split) => `${split}.parquet`;

export const parquet: Form = {
  name: "parquet",
  summary: "one Parquet file for each split, with the columns of a dataset line",
  formatted: false,
  dataFile: fileOf,
  entries: splits.map(fileOf),
  open: openParquet,
  matches: (folder) => splits.some((split) => existsSync(join(folder, fileOf(split)))),
  read: readParquet,
};

function openParquet(folder: string): FormWriter {
  const files = openSplitFiles(folder, fileOf);
  const tables = new Map([...files].map(([split, file]) => [split, tableWriter(file)]));
  return {
    add: (split, example) => {
      tables.get(split)!.add(example);
      return [];
    },
    finish: () => {
      for (const table of tables.values()) table.finish();
      return [];
    },
    abort: () => {
      for (const file of files.values()) file.abort();
    },
  };
}

/** Characters of text in a row group: what is in memory at once, several times over while it is encoded. */
const GROUP = 8 << 20;
const MOST_ROWS = 20_000;

type TableWriter = { add(example: Example): void; finish(): void };

function tableWriter(file: AtomicFile): TableWriter {
  const bytes = new ByteWriter();
  const writer = new ParquetWriter({ writer: bytes, schema: schemaOf(), createdBy: "codefudge" });
  let rows: Example[] = [];
  let size = 0;
  const send = () => {
    file.write(bytes.getBytes().slice());
    bytes.index = 0;
  };
  const flush = () => {
    const columnData = columnNames.map((name) => ({ name, data: rows.map((row) => cellOf(row, name)) }));
    if (rows.length > 0) writer.write({ columnData, rowGroupSize: rows.length });
    send();
    rows = [];
    size = 0;
  };
  return {
    add: (example) => {
      rows.push(example);
      size += example.message.length + (example.old?.length ?? 0) + example.diff.length;
      if (size > GROUP || rows.length >= MOST_ROWS) flush();
    },
    finish: () => {
      flush();
      writer.finish();
      send();
      file.commit();
    },
  };
}

type SchemaElement = ConstructorParameters<typeof ParquetWriter>[0]["schema"][number];

function schemaOf(): SchemaElement[] {
  const elements = columnNames.map((name): SchemaElement => {
    const { parquet: type, nullable } = columns[name];
    const repetition_type = nullable ? "OPTIONAL" : "REQUIRED";
    if (type === "STRING") return { name, type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type };
    if (type === "DOUBLE") return { name, type, repetition_type };
    return { name, type: "INT64", converted_type: "TIMESTAMP_MILLIS", repetition_type };
  });
  return [{ name: "schema", num_children: elements.length }, ...elements];
}

/** The last second of which a `Date` has the milliseconds. */
const MOST_SECONDS = 8.64e12;

function cellOf(example: Example, name: keyof Example): unknown {
  const value = example[name];
  if (columns[name].parquet !== "TIMESTAMP") return value;
  return new Date(1000 * Math.max(-MOST_SECONDS, Math.min(MOST_SECONDS, Number(value))));
}

/** One row group is in memory at a time. */
async function* readParquet(folder: string): AsyncGenerator<FormRecord> {
  for (const split of splits) {
    const path = join(folder, fileOf(split));
    if (!existsSync(path)) continue;
    const file = openBuffer(path);
    try {
      for await (const row of readRows(path, file)) {
        yield { type: "example", split, example: toExample(row, path) };
      }
    } finally {
      closeSync(file.handle);
    }
  }
}

async function* readRows(path: string, file: AsyncBuffer): AsyncGenerator<Record<string, unknown>> {
  const metadata = await guarded(path, () => parquetMetadataAsync(file));
  const names = columnNames.filter((name) => metadata.schema.some((element) => element.name === name));
  let start = 0;
  for (const group of metadata.row_groups) {
    const count = Number(group.num_rows);
    const range = { file, metadata, rowStart: start, rowEnd: start + count };
    const rows: Record<string, unknown>[] = [];
    // One after another: of columns that are read at once, the library leaves failures behind that nobody handles.
    for (const name of names) {
      const cells = await guarded(path, () => parquetReadObjects({ ...range, columns: [name] }));
      for (const [i, cell] of cells.entries()) rows[i] = { ...rows[i], ...cell };
    }
    yield* rows;
    start += count;
  }
}

async function guarded<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new UserError(
      `Expected a Parquet file in ${path}, found one that cannot be read: ${(error as Error).message}; write it again with codefudge export`,
      { cause: error },
    );
  }
}

function openBuffer(path: string): AsyncBuffer & { readonly handle: number } {
  const handle = openSync(path, "r");
  const { size } = statSync(path);
  return {
    handle,
    byteLength: size,
    slice: (start, end = size) => {
      const bytes = new Uint8Array(Math.max(0, Math.min(end, size) - start));
      readSync(handle, bytes, 0, bytes.length, start);
      return Promise.resolve(bytes.buffer);
    },
  };
}

/** What a cell of each type is once decoded; whole numbers may come as `bigint`. */
const READ: Readonly<Record<string, (value: unknown) => unknown>> = {
  STRING: (value) => (typeof value === "string" ? value : undefined),
  TIMESTAMP: (value) => (value instanceof Date ? Math.round(value.getTime() / 1000) : undefined),
  DOUBLE: (value) => (typeof value === "number" || typeof value === "bigint" ? Number(value) : undefined),
};

function toExample(row: Record<string, unknown>, path: string): Example {
  const entries = columnNames.map((name) => {
    const { parquet: type, nullable } = columns[name];
    const cell = row[name] ?? null;
    const value = cell === null && nullable ? null : READ[type]!(cell);
    if (value === undefined) {
      throw new UserError(
        `Expected a column "${name}" of ${type}${nullable ? " or nulls" : ""} in ${path}, found ${describe(cell)}; write it with codefudge export --form parquet`,
      );
    }
    return [name, value] as const;
  });
  return Object.fromEntries(entries) as Example;
}

function describe(cell: unknown): string {
  return cell === null ? "none" : typeof cell;
}

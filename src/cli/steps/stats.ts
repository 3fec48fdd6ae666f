// The stats step: dataset folder in, tables on the terminal and a page beside the dataset.

import { basename, join, resolve } from "node:path";
import { writeFileAtomic } from "../../base/files.ts";
import { type FormatName, formats } from "../../dataset/format.ts";
import { packOptions } from "../../dataset/pack.ts";
import { addToManifest } from "../../dataset/store.ts";
import { openBase } from "../../generation/base.ts";
import { statsPage } from "../../stats/page.ts";
import type { ForModel } from "../../stats/size.ts";
import { type Summary, summarise } from "../../stats/summary.ts";
import { textTables } from "../../stats/text.ts";
import { withLock } from "../lock.ts";
import { formatTable } from "../table.ts";
import type { Face } from "./face.ts";
import type { StatsOptions } from "./stats-options.ts";

const PAGE = "stats.html";
const SAMPLES = 10;
/** Shows the same examples each time. */
const SEED = 42;

/** Shows the dataset in `folder` and notes in its manifest what was measured; returns the page's path. */
export async function statsStep(
  folder: string,
  options: StatsOptions & { readonly cwd: string },
  face: Face,
): Promise<string> {
  return withLock(folder, "or look at another dataset", () => show(folder, options, face));
}

async function show(
  folder: string,
  { model, format, cwd }: StatsOptions & { readonly cwd: string },
  face: Face,
): Promise<string> {
  const opened = model === null ? null : openForModel(model, cwd);
  try {
    const summary = await follow(
      folder,
      { format: format as FormatName, model: opened?.model ?? null },
      face,
    );
    addToManifest(folder, { leak: summary.leak });
    const page = join(folder, PAGE);
    writeFileAtomic(page, statsPage(summary));
    if (face.json) face.out.json({ page, ...summary });
    else print(summary, face);
    if (!face.json) face.out.line(`page  ${page}`);
    return page;
  } finally {
    opened?.dispose();
  }
}

/** Reads no weights. */
function openForModel(name: string, cwd: string): { readonly model: ForModel; dispose(): void } {
  const { tokenizer, model, source } = openBase(resolve(cwd, name));
  return {
    model: { name: basename(name), tokenizer, context: model.max_position_embeddings },
    dispose: () => source.dispose(),
  };
}

async function follow(
  folder: string,
  { format, model }: { readonly format: FormatName; readonly model: ForModel | null },
  face: Face,
): Promise<Summary> {
  const max_files = packOptions.max_files.default;
  const options = { format: formats[format], model, max_files, seed: SEED, samples: SAMPLES };
  const events = summarise(folder, options, face.signal);
  for (;;) {
    const next = await events.next();
    if (next.done) {
      face.progress.finish();
      return next.value;
    }
    face.progress.update({ label: "stats", ...next.value, unit: "examples" });
  }
}

function print(summary: Summary, { out }: Face): void {
  for (const { title, columns, rows } of textTables(summary)) {
    out.line(title);
    for (const line of formatTable(columns, rows)) out.line(`  ${line}`);
    out.line("");
  }
}

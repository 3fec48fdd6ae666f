// A dataset folder as numbers to look at: counters, languages, sizes, time, what the division moved and what of the test
// stands in train, and examples drawn by a seed. Two passes over the dataset; what it holds in memory is a few numbers
// for each example.

import type { Example, Split } from "../dataset/example.ts";
import type { Format } from "../dataset/format.ts";
import { createLeakMeter, type LeakMeter, type LeakReport } from "../dataset/leak.ts";
import type { DivisionReport } from "../dataset/split.ts";
import { type DatasetManifest, readExamples, readManifest, splits } from "../dataset/store.ts";
import { type LanguageOf, loadLanguages } from "./languages.ts";
import { type Drawn, drawPlaces, type Sample, showSample } from "./samples.ts";
import { type Bin, binSizes, type ForModel, type Sizer, type Spread, sizerFor, spreadOf } from "./size.ts";
import { type Timeline, timelineOf } from "./timeline.ts";

export type SplitSummary = {
  readonly examples: number;
  readonly commits: number;
  /** Times of its first and last commit in order; null where it is empty. */
  readonly first: number | null;
  readonly last: number | null;
  readonly size: Spread;
};

export type Summary = {
  /** From the manifest: what it was made of, and what became of every record. */
  readonly created: Readonly<Record<string, unknown>>;
  readonly counters: Readonly<Record<string, number>>;
  readonly splits: Readonly<Record<Split, SplitSummary>>;
  /** Most examples first. */
  readonly languages: readonly { readonly name: string; readonly examples: number; readonly share: number }[];
  readonly sizes: {
    readonly unit: "tokens" | "bytes";
    readonly format: string;
    /** The model's name and context; null without one. */
    readonly model: string | null;
    readonly context: number | null;
    /** Examples that were measured: all in bytes; in tokens, which take long to count, some of each split. */
    readonly measured: number;
    /** Those of them larger than the context; null without a model. */
    readonly over: number | null;
    /** Those of them that the answer format has no words for. */
    readonly inexpressible: number;
    readonly bins: readonly Bin[];
  };
  readonly timeline: Timeline;
  /** What was kept and set aside on each side; null where the dataset was not divided by us. */
  readonly moved: DivisionReport | null;
  /** Test answers that stand in train, beside those of a random division. */
  readonly leak: LeakReport;
  readonly samples: readonly Sample[];
};

export type SummaryOptions = {
  readonly format: Format;
  readonly model: ForModel | null;
  readonly max_files: number;
  readonly seed: number;
  readonly samples: number;
};

export type SummaryEvent = { readonly done: number; readonly total: number };

/** Examples of a split that are drawn to be measured in tokens. */
const MEASURED = 300;

/** Examples whose sizes are asked for in one call, and their characters: what a tokenizer works on is in memory. */
const TOGETHER = { examples: 64, characters: 1_000_000 };

/** Reads the dataset in `folder`; a `UserError` where there is none. */
export async function* summarise(
  folder: string,
  options: SummaryOptions,
  signal?: AbortSignal,
): AsyncGenerator<SummaryEvent, Summary> {
  const manifest = readManifest(folder);
  const total = splits.reduce((sum, split) => sum + manifest.examples[split], 0);
  const tally = createTally(await loadLanguages(), drawPlaces(options.seed, options.samples, total));
  const sizeOf = sizerFor(options.format, options.model);
  const meter = createLeakMeter(manifest.examples, options.seed);
  for (const split of splits) {
    const measured = measuredPlaces(manifest.examples[split], options);
    let place = 0;
    for (const group of groupsOf(readExamples(folder, split))) {
      signal?.throwIfAborted();
      tally.take(split, group);
      for (const example of group) meter.test(example, split);
      const start = place;
      tally.measure(split, await sizeOf(group.filter((_, i) => measured?.has(start + i) ?? true)));
      place += group.length;
      yield { done: tally.taken(), total: 2 * total };
    }
    tally.endSplit();
  }
  for await (const done of learn(folder, meter, signal)) yield { done: total + done, total: 2 * total };
  const samples: Sample[] = [];
  for (const drawn of tally.drawn()) {
    const sample = await showSample(drawn, options);
    if (sample !== undefined) samples.push(sample);
  }
  return { ...summaryOf(manifest, tally.numbers(), options), leak: meter.report(), samples };
}

/** The second pass, for which the first must have ended: what is tested is looked for in what is learned from. */
async function* learn(folder: string, meter: LeakMeter, signal?: AbortSignal): AsyncGenerator<number> {
  let done = 0;
  for (const split of splits) {
    for (const example of readExamples(folder, split)) {
      meter.learn(example, split);
      if (++done % TOGETHER.examples !== 0) continue;
      signal?.throwIfAborted();
      yield done;
    }
  }
}

/** Undefined where all are measured. */
function measuredPlaces(count: number, { model, seed }: SummaryOptions): ReadonlySet<number> | undefined {
  return model === null || count <= MEASURED ? undefined : new Set(drawPlaces(seed, MEASURED, count));
}

function* groupsOf(examples: Iterable<Example>): Generator<readonly Example[]> {
  let group: Example[] = [];
  let characters = 0;
  for (const example of examples) {
    group.push(example);
    characters += (example.old?.length ?? 0) + example.diff.length;
    if (group.length < TOGETHER.examples && characters < TOGETHER.characters) continue;
    yield group;
    group = [];
    characters = 0;
  }
  if (group.length > 0) yield group;
}

type Numbers = {
  readonly times: Readonly<Record<Split, number[]>>;
  readonly sizes: Readonly<Record<Split, number[]>>;
  readonly commits: Readonly<Record<Split, number>>;
  readonly languages: ReadonlyMap<string, number>;
  readonly inexpressible: number;
};

type Tally = {
  take(split: Split, group: readonly Example[]): void;
  measure(split: Split, found: Awaited<ReturnType<Sizer>>): void;
  endSplit(): void;
  taken(): number;
  numbers(): Numbers;
  drawn(): readonly Drawn[];
};

function createTally(languageOf: LanguageOf, places: readonly number[]): Tally {
  const times = { train: [] as number[], validation: [] as number[], test: [] as number[] };
  const sizes = { train: [] as number[], validation: [] as number[], test: [] as number[] };
  const commits = { train: 0, validation: 0, test: 0 };
  const languages = new Map<string, number>();
  const wanted = new Set(places);
  const drawer = createDrawer();
  let taken = 0;
  let inexpressible = 0;
  const takeOne = (split: Split, example: Example) => {
    if (drawer.take(split, example, wanted.has(taken))) commits[split]++;
    const language = languageOf(example.path);
    languages.set(language, (languages.get(language) ?? 0) + 1);
    times[split].push(example.time);
    taken++;
  };
  return {
    take: (split, group) => {
      for (const example of group) takeOne(split, example);
    },
    measure: (split, found) => {
      sizes[split].push(...found.filter((size) => size !== null));
      inexpressible += found.filter((size) => size === null).length;
    },
    endSplit: drawer.end,
    taken: () => taken,
    numbers: () => ({ times, sizes, commits, languages, inexpressible }),
    drawn: drawer.drawn,
  };
}

type Drawer = {
  /** Takes the next example; true for the first of its commit. */
  take(split: Split, example: Example, wanted: boolean): boolean;
  end(): void;
  drawn(): readonly Drawn[];
};

/** Keeps examples that are wanted together with the rest of their commit, and no other commit but the one at hand. */
function createDrawer(): Drawer {
  const drawn: Drawn[] = [];
  let commit: Example[] = [];
  let pending: { split: Split; example: Example }[] = [];
  const end = () => {
    for (const one of pending) drawn.push({ ...one, commit });
    commit = [];
    pending = [];
  };
  return {
    take: (split, example, wanted) => {
      const isFirst = commit[0]?.commit !== example.commit;
      if (isFirst) end();
      commit.push(example);
      if (wanted) pending.push({ split, example });
      return isFirst;
    },
    end,
    drawn: () => drawn,
  };
}

function summaryOf(
  manifest: DatasetManifest,
  numbers: Numbers,
  { format, model }: SummaryOptions,
): Omit<Summary, "samples" | "leak"> {
  const all = splits.flatMap((split) => numbers.sizes[split]);
  const total = splits.reduce((sum, split) => sum + numbers.times[split].length, 0);
  const summaries = splits.map((split): [Split, SplitSummary] => {
    const times = numbers.times[split];
    const size = spreadOf(numbers.sizes[split]);
    const [first, last] = [times[0] ?? null, times.at(-1) ?? null];
    return [split, { examples: times.length, commits: numbers.commits[split], first, last, size }];
  });
  const languages = [...numbers.languages]
    .map(([name, examples]) => ({ name, examples, share: examples / Math.max(1, total) }))
    .sort((a, b) => b.examples - a.examples || (a.name < b.name ? -1 : 1));
  return {
    created: manifest.created,
    counters: manifest.counters,
    splits: Object.fromEntries(summaries) as Record<Split, SplitSummary>,
    languages,
    sizes: {
      unit: model === null ? "bytes" : "tokens",
      format: format.name,
      model: model?.name ?? null,
      context: model?.context ?? null,
      measured: all.length + numbers.inexpressible,
      over: model === null ? null : all.filter((size) => size > model.context).length,
      inexpressible: numbers.inexpressible,
      bins: binSizes(all),
    },
    timeline: timelineOf(numbers.times),
    moved: (manifest.division as DivisionReport | undefined) ?? null,
  };
}

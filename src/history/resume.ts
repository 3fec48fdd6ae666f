// The entries of a selection of commits, from the journal where it holds them and from the repository where not, in
// our order either way: who divides them need not know which was which. What is read is put into the journal.

import { renameSync } from "node:fs";
import type { Entry } from "./entry.ts";
import { type Harvest, harvestCommits } from "./harvest.ts";
import { type Journal, journalPath, openJournal } from "./journal.ts";
import type { Commit } from "./order.ts";
import { refillEntries } from "./refill.ts";

export type Resumed = {
  /** Commits of the selection that the journal held. */
  readonly held: number;
  /** Commits that it held and that can no longer be reached. */
  readonly gone: number;
  entries(signal?: AbortSignal): AsyncGenerator<readonly Entry[], void>;
  /** Keeps what was read; also after an error. */
  close(): void;
};

export type ResumeJob = {
  readonly folder: string;
  readonly identity: string;
  /** What is to be read, and of what. */
  readonly harvest: Harvest;
  /** Every commit that can be reached, in our order. */
  readonly reachable: readonly string[];
};

/** Opens the journal of a dataset folder for a selection; nothing is read yet. */
export function openResumed({ folder, identity, harvest, reachable }: ResumeJob): Resumed {
  const path = journalPath(folder);
  const journal = openJournal(path, identity);
  const places = new Map(reachable.map((commit, place) => [commit, place]));
  const kept = journal.commits.filter((commit) => places.has(commit));
  const gone = journal.commits.length - kept.length;
  const selected = new Set(harvest.commits.map(({ hash }) => hash));
  const wanted = new Set(isSorted(kept, places) ? kept.filter((commit) => selected.has(commit)) : []);
  const plan = planRuns(harvest.commits, wanted);
  // New commits may stand between old ones; then, and where some are gone, the journal is written anew beside.
  const first = plan.find(({ held }) => !held)?.commits[0]?.hash;
  const grows = gone === 0 && (first === undefined || isSorted([...kept, first], places));
  const next = grows ? journal : openJournal(nextPath(path), identity);
  let whole = false;
  return {
    held: wanted.size,
    gone,
    async *entries(signal) {
      const fresh = plan.flatMap(({ held, commits }) => (held ? [] : commits));
      const sources = {
        held: cursorOf(refillEntries(keep(journal, wanted), harvest, signal)),
        fresh: cursorOf(harvestCommits({ ...harvest, commits: fresh }, signal)),
      };
      try {
        for (const { held, commits } of plan) {
          for await (const entries of (held ? sources.held : sources.fresh).take(commits.length)) {
            if (!held || !grows) next.append(entries);
            yield entries;
          }
        }
        whole = true;
      } finally {
        await Promise.all([sources.held.close(), sources.fresh.close()]);
      }
    },
    close() {
      next.close();
      if (next === journal) return;
      journal.close();
      if (whole) renameSync(nextPath(path), path);
    },
  };
}

function nextPath(path: string): string {
  return `${path}.next`;
}

function isSorted(commits: readonly string[], places: ReadonlyMap<string, number>): boolean {
  return commits.every((commit, i) => i === 0 || places.get(commits[i - 1]!)! < places.get(commit)!);
}

/** Commits next to each other that come from the same place. */
type Run = { readonly held: boolean; readonly commits: Commit[] };

function planRuns(commits: readonly Commit[], held: ReadonlySet<string>): Run[] {
  const runs: Run[] = [];
  for (const commit of commits) {
    const last = runs.at(-1);
    if (last?.held === held.has(commit.hash)) last.commits.push(commit);
    else runs.push({ held: held.has(commit.hash), commits: [commit] });
  }
  return runs;
}

/** The entries of a journal that belong to `wanted`. */
function* keep(journal: Journal, wanted: ReadonlySet<string>): Generator<readonly Entry[]> {
  for (const entries of journal.read()) yield entries.filter(({ commit }) => wanted.has(commit));
}

type Cursor = {
  /** The entries of the next `count` commits. */
  take(count: number): AsyncGenerator<readonly Entry[]>;
  close(): Promise<unknown>;
};

function cursorOf(source: AsyncGenerator<readonly Entry[]>): Cursor {
  let rest: readonly Entry[] = [];
  return {
    async *take(count) {
      // The commit after the last wanted one ends the taking, so its own entry stays in `rest`.
      for (let begun = 0; ; ) {
        const end = rest.findIndex((entry) => entry.type === "commit" && ++begun > count);
        const taken = end < 0 ? rest : rest.slice(0, end);
        rest = end < 0 ? [] : rest.slice(end);
        if (taken.length > 0) yield taken;
        if (end >= 0) return;
        const next = await source.next();
        if (next.done) {
          if (begun < count) throw new Error(`Expected ${count} more commits, found ${begun}`);
          return;
        }
        rest = next.value;
      }
    },
    close: () => source.return(undefined),
  };
}

// Deals the commits of a history out to several streams of git, each of which compares its own while another is read, and
// puts what they give in order again. git compares on one core only; what it says of a commit does not depend on others.

import { availableParallelism } from "node:os";
import type { LogEntry } from "./change.ts";

/** Commits that one stream is given in a row: enough that git still finds the same contents near each other. */
const HAND = 64;
// A second process takes some milliseconds to start, which a short history does not earn back.
const COMMITS_WORTH_TWO = 1000;

/** The commits of each stream, in their order. */
export function deal(commits: readonly string[], streams: number): string[][] {
  const hands = Array.from({ length: streams }, (): string[] => []);
  commits.forEach((commit, i) => {
    hands[Math.floor(i / HAND) % streams]!.push(commit);
  });
  return hands;
}

/** How many streams read so many commits soonest, where `busy` processor cores have other work of this program. */
export function streamsFor(commits: number, busy: number): number {
  return commits >= COMMITS_WORTH_TWO && availableParallelism() - busy > 1 ? 2 : 1;
}

type Pieces = AsyncGenerator<readonly LogEntry[]>;

/**
 * What streams of dealt commits give, each commit followed by its changes, in the order before they were dealt. `end` ends
 * what they read from: a stream that waits for it would hold up whoever leaves early.
 */
export async function* inTurns(streams: readonly Pieces[], end: () => void): Pieces {
  const hands = streams.map(startHands);
  try {
    for (let turn = 0, ended = 0; ended < hands.length; turn++) {
      let any = false;
      for await (const entries of hands[turn % hands.length]!()) {
        any = true;
        yield entries;
      }
      // Every stream has as many hands as the one before it, or one less.
      ended = any ? 0 : ended + 1;
    }
  } finally {
    end();
    await Promise.all(streams.map((stream) => stream.return(undefined)));
  }
}

/** Begins to read a stream at once; each call gives the entries of its next hand, as they come. */
function startHands(stream: Pieces): () => AsyncGenerator<readonly LogEntry[]> {
  const ask = () => {
    const asked = stream.next();
    // A failure is met when its turn comes; until then it must not count as unhandled.
    asked.catch(() => {});
    return asked;
  };
  let coming = ask();
  let rest: readonly LogEntry[] = [];
  return async function* () {
    let begun = 0;
    for (;;) {
      let taken = 0;
      for (; taken < rest.length; taken++) {
        if (rest[taken]!.kind !== "commit") continue;
        if (begun === HAND) break;
        begun++;
      }
      const isWhole = taken < rest.length;
      const entries = rest.slice(0, taken);
      rest = rest.slice(taken);
      if (entries.length > 0) yield entries;
      if (isWhole) return;
      const next = await coming;
      if (next.done) return;
      rest = next.value;
      coming = ask();
    }
  };
}

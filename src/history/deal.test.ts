// Commits dealt out to streams come back in their order, with their changes, whatever the pieces.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import type { LogEntry } from "./change.ts";
import { deal, inTurns } from "./deal.ts";

const commitOf = (hash: string) => ({ kind: "commit", commit: { hash } }) as unknown as LogEntry;
const changeOf = (hash: string, i: number) =>
  ({ kind: "change", commit: { hash }, change: i }) as unknown as LogEntry;
const commits = (count: number) => Array.from({ length: count }, (_, i) => `c${i}`);

/** What git would say of these commits: each with none to three changes, in pieces of any size, some of them late. */
async function* stream(hashes: readonly string[], seed: number): AsyncGenerator<readonly LogEntry[]> {
  const random = createRandom(seed);
  const all = hashes.flatMap((hash) => [
    commitOf(hash),
    ...Array.from({ length: Number(hash.slice(1)) % 4 }, (_, i) => changeOf(hash, i)),
  ]);
  for (let at = 0; at < all.length; ) {
    const size = random.below(100);
    if (random.below(5) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    yield all.slice(at, at + size);
    at += size;
  }
}

async function collect(pieces: AsyncIterable<readonly LogEntry[]>): Promise<LogEntry[]> {
  const all: LogEntry[] = [];
  for await (const piece of pieces) all.push(...piece);
  return all;
}

for (const [count, streams] of [
  [1, 1],
  [1, 2],
  [64, 2],
  [65, 2],
  [128, 2],
  [129, 3],
  [1000, 2],
  [1003, 3],
] as const) {
  test(`${count} commits through ${streams} streams`, async () => {
    const hands = deal(commits(count), streams);
    assert.deepEqual(hands.flat().sort(), commits(count).sort());
    const dealt = await collect(
      inTurns(
        hands.map((hand, i) => stream(hand, i)),
        () => {},
      ),
    );
    assert.deepEqual(dealt, await collect(stream(commits(count), 99)));
  });
}

test("a stream that fails is told when its turn comes, and all others are ended", async () => {
  const ended: number[] = [];
  const watched = async function* (hashes: readonly string[], i: number) {
    try {
      yield* stream(hashes, i);
      if (i === 1) throw new Error("git died");
    } finally {
      ended.push(i);
    }
  };
  const seen: LogEntry[] = [];
  await assert.rejects(async () => {
    for await (const piece of inTurns(deal(commits(500), 2).map(watched), () => {})) seen.push(...piece);
  }, /^Error: git died$/);
  assert.deepEqual(ended.sort(), [0, 1]);
  assert.ok(seen.length > 500, "what came before is given");
});

test("leaving early ends every stream", async () => {
  let open = 2;
  const watched = async function* (hashes: readonly string[], i: number) {
    try {
      yield* stream(hashes, i);
    } finally {
      open--;
    }
  };
  for await (const piece of inTurns(deal(commits(500), 2).map(watched), () => {}))
    if (piece.length > 0) break;
  assert.equal(open, 0);
});

test("leaving early does not wait for a stream that is silent", async () => {
  let speak = () => {};
  const silent = async function* (hashes: readonly string[]): AsyncGenerator<readonly LogEntry[]> {
    yield [commitOf(hashes[0]!)];
    await new Promise<void>((resolve) => {
      speak = resolve;
    });
  };
  const hands = deal(commits(500), 2).map(silent);
  for await (const piece of inTurns(hands, () => speak())) if (piece.length > 0) break;
});

// What is read ahead of whoever takes it: bounded where there is something to take, and never waiting for oneself.

import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import type { LogEntry } from "./change.ts";
import type { GitStream } from "./git.ts";
import type { LogParser } from "./parser.ts";
import { readAhead } from "./read-ahead.ts";

const PIECE = 1 << 16;

/** A git that writes pieces as fast as they are taken, and how many it has written. */
function fakeGit(pieces: number) {
  const stdout = new PassThrough({ highWaterMark: PIECE });
  const state = { written: 0 };
  const done = (async () => {
    for (; state.written < pieces; state.written++) {
      if (!stdout.write(Buffer.alloc(PIECE))) await new Promise((resolve) => stdout.once("drain", resolve));
    }
    stdout.end();
    await new Promise((resolve) => stdout.once("end", resolve));
    return { exitCode: 0, stderr: "" };
  })();
  return { state, stream: { stdout, done } as unknown as GitStream };
}

/** Gives one entry for so many pieces. */
function parserOf(each: number): LogParser {
  let seen = 0;
  const push = () => (++seen % each === 0 ? [{ kind: "commit" } as LogEntry] : []);
  return { push, end: () => [{ kind: "commit" } as LogEntry] } as unknown as LogParser;
}

const never = { check: () => Promise.reject(new Error("asked")) };

test("a change larger than what is read ahead is waited for", async () => {
  const { stream } = fakeGit(100);
  let count = 0;
  for await (const entries of readAhead(stream, parserOf(100), never)) count += entries.length;
  assert.equal(count, 2);
});

test("git waits where nobody takes what it has said", async () => {
  const { state, stream } = fakeGit(1000);
  const source = readAhead(stream, parserOf(1), never);
  const first = await source.next();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const ahead = state.written;
  assert.ok(ahead >= 4 && ahead < 30, `${ahead} pieces of 64 KiB read ahead`);
  let count = first.value!.length;
  for await (const entries of source) count += entries.length;
  assert.ok(count > 990 && state.written === 1000);
});

test("a git that falls silent is looked at again and again, at the commit where it is", async () => {
  const stdout = new PassThrough();
  const stream = { stdout, done: new Promise(() => {}) } as unknown as GitStream;
  const asked: number[] = [];
  const check = async (begun: number) => {
    asked.push(begun);
    if (asked.length === 2) stdout.write(Buffer.alloc(10));
    if (asked.length === 4) throw new Error("a bomb");
  };
  stdout.write(Buffer.alloc(10));
  const source = readAhead(stream, parserOf(1), { check, silenceMs: 20 });
  await assert.rejects(async () => {
    for await (const _ of source);
  }, /^Error: a bomb$/);
  assert.deepEqual(asked, [1, 1, 2, 2]);
});

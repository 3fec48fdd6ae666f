// Fetches contents by object id through one `git cat-file --batch-command --buffer` process. Sizes are asked first,
// so that a content above the limit never leaves git. What is in flight is bounded by one batch. It knows no paths.

import type { Readable } from "node:stream";
import { UserError } from "../base/errors.ts";
import { type GitStream, streamGit } from "./git.ts";
import { placeOf, type Shadow } from "./shadow.ts";

/** A content, or only its size when it is above the limit it was asked with. */
export type Blob = { readonly size: number; readonly bytes: Buffer | null };

export type BlobRequest = { readonly oid: string; readonly maxBytes: number };

export type BlobReader = {
  /** Answers in the order of the requests. One call at a time. */
  read(requests: readonly BlobRequest[]): Promise<Blob[]>;
  dispose(): Promise<void>;
};

// git answers only after a flush; more unflushed requests than the pipe holds would wait for each other.
const REQUESTS_PER_FLUSH = 64;

/** Starts the process that answers; `dispose` ends it. */
export function openBlobs(shadow: Shadow, signal?: AbortSignal): BlobReader {
  const child = streamGit(["cat-file", "--batch-command", "--buffer"], placeOf(shadow, signal));
  const reader = createByteReader(child.stdout, child);
  return {
    async read(requests) {
      const sizes = await ask(child, requests, "info", () => readHeader(reader));
      const wanted = requests.filter((request, i) => sizes[i]! <= request.maxBytes);
      const contents = await ask(child, wanted, "contents", () => readContent(reader));
      let next = 0;
      return requests.map((request, i) => {
        const size = sizes[i]!;
        return { size, bytes: size <= request.maxBytes ? contents[next++]! : null };
      });
    },
    async dispose() {
      child.kill();
      await child.done.catch(() => {});
    },
  };
}

async function ask<T>(
  child: GitStream,
  requests: readonly BlobRequest[],
  ...[command, answer]: [command: "info" | "contents", answer: () => Promise<T>]
): Promise<T[]> {
  const answers: T[] = [];
  for (let first = 0; first < requests.length; first += REQUESTS_PER_FLUSH) {
    const part = requests.slice(first, first + REQUESTS_PER_FLUSH);
    child.stdin.write(`${part.map((request) => `${command} ${request.oid}\n`).join("")}flush\n`);
    for (let i = 0; i < part.length; i++) answers.push(await answer());
  }
  return answers;
}

/** The size in `OID blob SIZE`. */
async function readHeader(reader: ByteReader): Promise<number> {
  const line = await reader.line();
  const size = /^[0-9a-f]+ blob (\d+)$/.exec(line)?.[1];
  if (size === undefined) {
    throw new UserError(`Expected a file content, found "${line}" in the repository; run "git fsck" there`);
  }
  return Number(size);
}

async function readContent(reader: ByteReader): Promise<Buffer> {
  const size = await readHeader(reader);
  const bytes = await reader.bytes(size + 1);
  return bytes.subarray(0, size);
}

type ByteReader = { line(): Promise<string>; bytes(count: number): Promise<Buffer> };

function createByteReader(stream: Readable, child: GitStream): ByteReader {
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let rest: Buffer = Buffer.alloc(0);
  const more = async () => {
    const { value, done } = await chunks.next();
    if (!done) return value;
    const { stderr } = await child.done;
    throw new UserError(`Expected file contents from git, found the end of its output: ${stderr.trim()}`);
  };
  return {
    async line() {
      let end = rest.indexOf(10);
      while (end < 0) {
        rest = Buffer.concat([rest, await more()]);
        end = rest.indexOf(10);
      }
      const text = rest.toString("latin1", 0, end);
      rest = rest.subarray(end + 1);
      return text;
    },
    async bytes(count) {
      const out = Buffer.allocUnsafeSlow(count);
      let filled = rest.copy(out);
      rest = rest.subarray(filled);
      while (filled < count) {
        const chunk = await more();
        const taken = chunk.copy(out, filled);
        filled += taken;
        rest = chunk.subarray(taken);
      }
      return out;
    },
  };
}

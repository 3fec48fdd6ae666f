// Whether commits whose headers are strange, foreign or wrong are read: each is an example with the right message, a
// whole number of seconds and its author, or is counted.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { makeRepository, withFolder } from "../repository.ts";
import { heldOut } from "./cases.ts";
import { STAMP, setBranches, treeBytes, writeObjects } from "./objects.ts";
import { readHistory } from "./reading.ts";

type Odd = {
  readonly name: string;
  /** Everything below the tree line. */
  readonly rest: string | Buffer;
  /** What the example says, or the reason why there is none. */
  readonly becomes: { readonly message: string; readonly time?: number; readonly author?: string } | string;
};

const TIME = 1700000000;

function stamped(author: string, committer = author): string {
  return `author ${author}\ncommitter ${committer}\n`;
}

function latin(...parts: readonly string[]): Buffer {
  return Buffer.from(parts.join(""), "latin1");
}

const encodings: readonly Odd[] = [
  { name: "no encoding header", rest: `${stamped(STAMP)}\nplain`, becomes: { message: "plain" } },
  {
    name: "ISO-8859-1",
    rest: latin(stamped(STAMP), "encoding ISO-8859-1\n\ncaf\xe9"),
    becomes: { message: "café" },
  },
  { name: "'utf8' in quotes", rest: `${stamped(STAMP)}encoding 'utf8'\n\nü`, becomes: { message: "ü" } },
  {
    name: "Shift_JIS",
    rest: latin(stamped(STAMP), "encoding Shift_JIS\n\n\x93\xfa\x96{"),
    becomes: { message: "日本" },
  },
  {
    name: "one that does not exist",
    rest: `${stamped(STAMP)}encoding x-none\n\nplain`,
    becomes: { message: "plain" },
  },
  {
    name: "one that does not exist, bytes that are none",
    rest: latin(stamped(STAMP), "encoding x-none\n\n\xe9"),
    becomes: "undecodable",
  },
  {
    name: "UTF-8 that is not",
    rest: latin(stamped(STAMP), "encoding UTF-8\n\n\xe9"),
    becomes: "undecodable",
  },
  {
    name: "an author in latin-1, said so",
    rest: latin(stamped("Andr\xe9 <a@b> 1700000000 +0000"), "encoding ISO-8859-1\n\nx"),
    becomes: { message: "x", author: "André" },
  },
  {
    name: "an author in latin-1, not said",
    rest: latin(stamped("Andr\xe9 <a@b> 1700000000 +0000"), "\nx"),
    becomes: { message: "x", author: "Andr\ufffd" },
  },
];

const messages: readonly Odd[] = [
  { name: "no message and no empty line", rest: stamped(STAMP), becomes: { message: "" } },
  { name: "an empty message", rest: `${stamped(STAMP)}\n`, becomes: { message: "" } },
  {
    name: "a NUL in the message, where git stops",
    rest: `${stamped(STAMP)}\none\0two`,
    becomes: { message: "one" },
  },
  {
    name: "a message that begins and ends with newlines",
    rest: `${stamped(STAMP)}\n\n\none\n\n`,
    becomes: { message: "\n\none" },
  },
  {
    name: "headers that nobody knows",
    rest: `${stamped(STAMP)}x-header y\n more\n\none`,
    becomes: { message: "one" },
  },
  {
    name: "a signature",
    rest: `${stamped(STAMP)}gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----\n\none`,
    becomes: { message: "one" },
  },
];

const people: readonly Odd[] = [
  {
    name: "an author without address",
    rest: `${stamped("Ada 1700000000 +0000", STAMP)}\nx`,
    becomes: { message: "x", author: "" },
  },
  {
    name: "an author without name",
    rest: `${stamped("<a@b> 1700000000 +0000")}\nx`,
    becomes: { message: "x", author: "" },
  },
  {
    name: "nobody at all",
    rest: `${stamped(" <> 1700000000 +0000")}\nx`,
    becomes: { message: "x", author: "" },
  },
  { name: "no author line", rest: `committer ${STAMP}\n\nx`, becomes: { message: "x", author: "" } },
];

const clocks: readonly Odd[] = [
  ...["0", "1", "2147483647", "2147483648", "4102444800", "1099511627776"].map((time) => ({
    name: `a commit at ${time}`,
    rest: `${stamped(STAMP, `Ada <a@b> ${time} +0000`)}\nx`,
    becomes: { message: "x", time: Number(time) },
  })),
  {
    name: "a zone that there is not",
    rest: `${stamped(STAMP, `Ada <a@b> ${TIME} +9999`)}\nx`,
    becomes: { message: "x" },
  },
  { name: "no time", rest: `${stamped(STAMP, "Ada <a@b>")}\nx`, becomes: { message: "x", time: 0 } },
  {
    name: "a time that is no number",
    rest: `${stamped(STAMP, "Ada <a@b> soon +0000")}\nx`,
    becomes: { message: "x", time: 0 },
  },
  { name: "no committer line", rest: `author ${STAMP}\n\nx`, becomes: { message: "x", time: 0 } },
];

const odd = [...encodings, ...messages, ...people, ...clocks];

test("commits with odd headers", async (t) => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), heldOut(90));
    const commits = await writeOdd(repository);
    const { examples, dropped } = await readHistory(repository, join(folder, "data"));
    const found = new Map(examples.map((example) => [example.commit, example]));
    const reasons = new Map(dropped.map(({ commit, reason }) => [commit, reason]));
    for (const [i, { name, becomes }] of odd.entries()) {
      await t.test(name, () => {
        const commit = commits[i]!;
        if (typeof becomes === "string") return assert.equal(reasons.get(commit), becomes);
        const { message, author, time } = found.get(commit) ?? assert.fail(`dropped: ${reasons.get(commit)}`);
        assert.deepEqual({ message, author, time }, { author: "Ada Example", time: TIME, ...becomes });
      });
    }
  });
});

/** Each odd commit is a root with one file of its own. */
async function writeOdd(repository: string): Promise<string[]> {
  const blobs = await writeObjects(
    repository,
    "blob",
    odd.map(({ name }) => `${name}\nand more\n`),
  );
  const bytes = blobs.map((oid, i) => treeBytes([{ mode: "100644", name: `odd-${i}.txt`, oid }]));
  const trees = await writeObjects(repository, "tree", bytes);
  const contents = odd.map(({ rest }, i) =>
    Buffer.concat([Buffer.from(`tree ${trees[i]}\n`), Buffer.from(rest)]),
  );
  const commits = await writeObjects(repository, "commit", contents);
  await setBranches(repository, Object.fromEntries(commits.map((commit, i) => [`odd-${i}`, commit])));
  return commits;
}

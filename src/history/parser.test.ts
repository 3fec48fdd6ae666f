// Whether the parser gives the same entries however its bytes arrive, and refuses what git did not finish.

import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { awkwardNames, awkwardSteps } from "../../test/awkward.ts";
import { git, makeRepository, withFolder } from "../../test/repository.ts";
import type { Example } from "../dataset/example.ts";
import { checkRoundTrip } from "../dataset/roundtrip.ts";
import type { Change, LogEntry } from "./change.ts";
import { exists } from "./contents.ts";
import { runGit } from "./git.ts";
import { logArguments } from "./log.ts";
import { createLogParser } from "./parser.ts";
import { openShadow, placeOf } from "./shadow.ts";

const HASH = 40;
// The awkward history without its large files, whose sections would only repeat themselves.
const steps = awkwardSteps.slice(0, 9).map(({ files, ...step }) => ({
  ...step,
  files: Object.fromEntries(Object.entries(files ?? {}).filter(([path]) => path !== "big.txt")),
}));
let bytes: Buffer;

before(async () => {
  await withFolder(async (folder) => {
    const shadow = await openShadow(await makeRepository(join(folder, "r"), steps));
    const options = { firstParent: false, maxSectionBytes: 0, bigFileBytes: 1 << 20 };
    const input = await git(["rev-list", "--branches"], { cwd: join(folder, "r") });
    const log = await runGit(logArguments(options), { ...placeOf(shadow), input });
    shadow.dispose();
    assert.equal(log.exitCode, 0, log.stderr);
    bytes = log.stdout;
  });
});

function parse(input: Buffer, size: number, maxSectionBytes = 1 << 16): LogEntry[] {
  const parser = createLogParser({ hashLength: HASH, maxSectionBytes });
  const entries: LogEntry[] = [];
  for (let at = 0; at < input.length; at += size) {
    // A copy that is overwritten afterwards, as the buffers of a stream are.
    const chunk = Buffer.from(input.subarray(at, at + size));
    entries.push(...parser.push(chunk));
    chunk.fill(0);
  }
  entries.push(...parser.end());
  return entries;
}

function changesOf(entries: readonly LogEntry[]): Change[] {
  return entries.flatMap((entry) => (entry.kind === "change" ? [entry.change] : []));
}

test("chunks of any size give the same entries", () => {
  const whole = parse(bytes, bytes.length);
  assert.equal(whole.filter(({ kind }) => kind === "commit").length, steps.length);
  for (const size of [1, 7, 4096]) assert.deepEqual(parse(bytes, size), whole, `chunks of ${size}`);
});

test("names and statuses come from the raw records", () => {
  const changes = changesOf(parse(bytes, bytes.length));
  const names = new Set(changes.map(({ newPath }) => newPath.toString()));
  for (const name of awkwardNames) assert.ok(names.has(name), JSON.stringify(name));
  const moved = changes.filter(({ status }) => status === "R");
  assert.deepEqual(moved.map(({ oldPath, newPath }) => `${oldPath} > ${newPath}`).sort(), [
    "empty.txt > was-empty.txt",
    "moved-edited.txt > deep/edited.txt",
    "moved.txt > deep/moved to.txt",
  ]);
  const typed = changes.find(({ status }) => status === "T");
  assert.equal(
    typed?.section?.toString().split("diff --git ").length,
    3,
    "two sections for a change of type",
  );
  assert.equal(changes.filter(({ binary }) => binary).length, 2);
});

test("the message is only trimmed of its last newlines, and is null when it is not UTF-8", () => {
  const messages = parse(bytes, 4096).flatMap((entry) =>
    entry.kind === "commit" ? [entry.commit.message] : [],
  );
  assert.ok(messages.includes((steps[1]!.message as string).trimEnd()));
  assert.equal(messages.filter((message) => message === null).length, 1);
});

test("sections above the limit are counted and not kept, and the ones after them are whole", () => {
  const whole = changesOf(parse(bytes, bytes.length));
  const cut = changesOf(parse(bytes, 7, 200));
  assert.equal(cut.length, whole.length);
  for (const [i, change] of cut.entries()) {
    assert.equal(change.sectionBytes, whole[i]!.sectionBytes);
    assert.deepEqual(change.section, change.sectionBytes > 200 ? null : whole[i]!.section);
  }
  assert.ok(cut.some(({ section }) => section === null));
});

test("a stream cut anywhere is an error, or gives what it has whole", () => {
  const whole = parse(bytes, bytes.length);
  let refused = 0;
  for (let length = 1; length < bytes.length; length += 3) {
    const entries = parseOrNothing(bytes.subarray(0, length));
    if (entries === undefined) {
      refused++;
      continue;
    }
    const last = entries.length - 1;
    assert.deepEqual(entries.slice(0, last), whole.slice(0, last));
    assertSound(entries[last], whole[last]!);
  }
  assert.ok(refused > bytes.length / 4, `${refused} refused`);
});

function parseOrNothing(input: Buffer): LogEntry[] | undefined {
  try {
    return parse(input, input.length);
  } catch (error) {
    assert.match((error as Error).message, /^Expected .*git log/);
    return undefined;
  }
}

// A cut between two hunks of the last section looks like its end; the round trip is what refuses it.
function assertSound(entry: LogEntry | undefined, whole: LogEntry): void {
  if (entry?.kind !== "change" || whole.kind !== "change") return;
  const { section, sectionBytes, ...record } = entry.change;
  const { section: wanted, sectionBytes: wantedBytes, ...wantedRecord } = whole.change;
  assert.deepEqual(record.newOid, wantedRecord.newOid);
  if (sectionBytes === wantedBytes) {
    assert.deepEqual(section, wanted);
    return;
  }
  const example: Example = {
    message: "",
    path: record.oldPath.toString(),
    old: exists(record.oldOid) ? "line 1\n" : null,
    diff: section!.toString(),
    commit: "",
    parent: null,
    time: 0,
    author: "",
    weight: 1,
  };
  const blob = exists(record.newOid) ? { oid: record.newOid, algorithm: "sha1" as const } : null;
  assert.equal(checkRoundTrip(example, blob).ok, false);
}

test("what git never prints is refused", () => {
  const text = bytes.toString("latin1");
  const broken: Record<string, string> = {
    "a commit id": `x${text.slice(1)}`,
    "raw records": text.replace("\n:", "\n;"),
    "a hunk header": text.replace("@@ -0,0 +1", "@@ -0,0 *1"),
    "a hunk count": text.replace("@@ -0,0 +1,12 @@", "@@ -0,0 +1,11 @@"),
    "a patch section": text.replace("\0diff --git", "\0diff --get"),
  };
  for (const [what, input] of Object.entries(broken)) {
    assert.notEqual(input, text, what);
    assert.throws(() => parse(Buffer.from(input, "latin1"), 4096), /^UserError: Expected .*git log/, what);
  }
});

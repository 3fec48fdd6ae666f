// Which files share a request, and what is shown of them; one token a byte.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BYTES } from "../../test/bytes.ts";
import { formats } from "./format.ts";
import { createMeasure } from "./measure.ts";
import { type Ask, type AskedFile, createPacker, type Packer, promptRoom, textsToLearn } from "./pack.ts";
import type { Request } from "./request.ts";

const format = formats.region;

function file(path: string, lines: number | null): AskedFile {
  const text = (count: number) => Array.from({ length: count }, (_, i) => `line ${i}\n`).join("");
  return { path, old: lines === null ? null : text(lines), focus: [] };
}

async function pack(given: Partial<Ask>): Promise<Packer> {
  const ask = { message: "Do it", change: [], context: [], ...given };
  const measure = createMeasure(BYTES);
  await measure.learn(textsToLearn(ask, format));
  return createPacker(ask, format, measure);
}

/** A request in short: `+` in front of files to change, the lines that are shown behind windows. */
function describe({ files }: Request): string[] {
  return files.map(({ path, role, shown }) => {
    const lines = shown === "all" ? "" : ` ${shown.map(({ start, end }) => `${start}-${end}`).join(" ")}`;
    return `${role === "change" ? "+" : ""}${path}${lines}`;
  });
}

test("three quarters of the length are the prompt's", () => {
  assert.equal(promptRoom({ max_length: 1024 }), 768);
  assert.equal(promptRoom({ max_length: 30, max_in_len: null, max_out_len: null }), 22);
});

test("of a prompt's and an answer's length the one that was said counts", () => {
  assert.equal(promptRoom({ max_length: 3072, max_in_len: 1024, max_out_len: 2048 }), 1024);
  assert.equal(promptRoom({ max_length: 512, max_out_len: 80 }), 432);
  assert.equal(promptRoom({ max_length: 512, max_out_len: 2048 }), 128);
  assert.equal(promptRoom({ max_length: 256, max_in_len: 1024 }), 256);
});

test("small files share a request, in order, as many as fit and as are allowed", async () => {
  const packer = await pack({ change: [file("a", 5), file("b", 5), file("c", 5), file("d", null)] });
  assert.deepEqual(packer.groups({ room: 1000, max_files: 4 }), [[0, 1, 2, 3]]);
  assert.deepEqual(packer.groups({ room: 1000, max_files: 3 }), [[0, 1, 2], [3]]);
  assert.deepEqual(packer.groups({ room: 1000, max_files: 1 }), [[0], [1], [2], [3]]);
  const frame = format.prompt({ message: "Do it", files: [] }).length;
  const whole = format.prompt(packer.build([0], { room: 80 })).length - frame;
  assert.deepEqual(packer.groups({ room: frame + 2 * whole, max_files: 4 }), [
    [0, 1],
    [2, 3],
  ]);
  assert.deepEqual(packer.groups({ room: frame + 2 * whole - 1, max_files: 4 }), [[0], [1], [2, 3]]);
});

test("a file that does not fit whole stands alone, the others go on without it", async () => {
  const packer = await pack({ change: [file("a", 5), file("long", 100), file("b", 5)] });
  assert.deepEqual(packer.groups({ room: 300, max_files: 4 }), [[0, 2], [1]]);
  const request = packer.build([1], { room: 300 });
  assert.match(describe(request).join(), /^\+long 0-\d+$/);
  assert.ok(format.prompt(request).length <= 300);
});

test("the same path twice is never in one request", async () => {
  const packer = await pack({ change: [file("a", 5), file("a", null)] });
  assert.deepEqual(packer.groups({ room: 1000, max_files: 4 }), [[0], [1]]);
});

test("room that is left goes to the other files, whole or as windows, but not to files that are not there", async () => {
  const packer = await pack({ change: [file("a", 5), file("b", 5), file("new", null), file("long", 100)] });
  const parts = describe(packer.build([0], { room: 500 }));
  assert.match(parts.join(), /^b,long 0-\d+,\+a$/);
  assert.ok(format.prompt(packer.build([0], { room: 500 })).length <= 500);
  assert.deepEqual(describe(packer.build([0], { room: 100 })), ["+a"]);
});

test("context that was named has a quarter of the room, also beside a window", async () => {
  const packer = await pack({ change: [file("long", 100)], context: [file("far", 100)] });
  const request = packer.build([0], { room: 800 });
  assert.match(describe(request).join(), /^far 0-\d+,\+long 0-\d+$/);
  const [far, long] = request.files.map(({ shown }) => (shown === "all" ? 0 : shown[0]!.end));
  assert.ok(far! > 10 && long! > 2 * far! && format.prompt(request).length <= 800, `${far} ${long}`);
});

test("what was pointed at is shown, and can be set for one build", async () => {
  const pointed = { ...file("long", 100), focus: [{ start: 70, end: 71 }] };
  const packer = await pack({ change: [pointed] });
  const shows = (request: Request, line: number) => {
    const { shown } = request.files.at(-1)!;
    return shown !== "all" && shown.some(({ start, end }) => start <= line && line < end);
  };
  assert.ok(shows(packer.build([0], { room: 300 }), 70));
  assert.ok(!shows(packer.build([0], { room: 300, focus: [{ start: 20, end: 21 }] }), 70));
});

test("a message that leaves no room leaves windows empty, and nothing throws", async () => {
  const packer = await pack({ message: "long ".repeat(100), change: [file("a", 5)] });
  assert.deepEqual(describe(packer.build([0], { room: 100 })), ["+a "]);
});

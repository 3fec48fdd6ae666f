// Whether threads judge as this one does, in the same order, and end with what started them.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { awkwardSteps } from "../../test/awkward.ts";
import { collect, makeRepository, withFolder } from "../../test/repository.ts";
import { defaultsOf } from "../base/options.ts";
import { filterOptions } from "../filters/options.ts";
import { openJudges, startEarly } from "./judging.ts";
import type { AskedCase } from "./request.ts";
import { createSlabs } from "./slabs.ts";

const many = Array.from({ length: 300 }, (_, i) => ({
  files: { "a.txt": `${i}\n`, [`${i % 7}.txt`]: `${"line\n".repeat(i)}${i}\n` },
}));

test("one thread, two and none give the same events", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), [...awkwardSteps, ...many]);
    const alone = await collect(repository, { jobs: 0 });
    assert.ok(alone.result.examples > 500);
    for (const jobs of [1, 2])
      assert.deepEqual(await collect(repository, { jobs }), alone, `${jobs} threads`);
  });
});

test("contents that outgrow the limit and come back under it give the same however they are judged", async () => {
  await withFolder(async (folder) => {
    const sizes = Array.from({ length: 200 }, (_, i) => 60 * ((7 * i) % 23));
    const steps = sizes.map((size, i) => ({
      files: { "a.txt": `${i}\n${"line\n".repeat(size / 5)}`, [`${i % 5}.txt`]: `${i}\n` },
    }));
    const repository = await makeRepository(join(folder, "r"), steps);
    const read = (jobs: number) => collect(repository, { jobs, max_file_bytes: 1000 });
    const apart = await read(2);
    assert.ok(apart.result.dropped["over-size"]! > 50 && apart.result.examples > 200);
    for (const jobs of [0, 1]) assert.deepEqual(await read(jobs), apart, `${jobs} threads`);
  });
});

const source = {
  options: { ...defaultsOf(filterOptions), max_file_bytes: 65536 },
  rules: { ignore: "", attributes: "" },
};
const commit = { hash: "1", parent: null, message: "m", author: "a", mail: "", time: 1, merge: false };

/** A creation of a file with one line. */
function makeCase(slab: ArrayBuffer): AskedCase {
  const oid = "5626abf0f72e58d7a153368ba57db4c673c0e171";
  const nothing = "0".repeat(40);
  const text = `diff --git a/a b/a\nnew file mode 100644\nindex ${nothing}..${oid}\n--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+one\n`;
  const section = Buffer.from(slab, 0, text.length);
  section.write(text);
  return { commit, path: "a", oldOid: nothing, newOid: oid, old: null, section };
}

test("buffers come back for the next batch, and a thread that ends fails what waits for it", async () => {
  const slabs = createSlabs();
  const judges = openJudges({ source, slabs, commits: 1, jobs: 1 });
  const slab = slabs.take(1000);
  const { lines, outcomes } = await judges.judge([makeCase(slab)], slab);
  assert.equal(outcomes.length, 1);
  const example = JSON.parse(Buffer.from(lines).toString()) as { path: string; old: null };
  assert.deepEqual([example.path, example.old], ["a", null]);
  assert.equal(slab.byteLength, 0, "it went over to the thread");
  const back = slabs.take(1000);
  assert.equal(back.byteLength, 1 << 18);
  const waiting = judges.judge([makeCase(back)], back);
  const failed = assert.rejects(waiting, /Expected a thread to judge, found its end/);
  await judges.dispose();
  await failed;
});

test("a thread that ended before it was asked anything fails what it is asked", async () => {
  const early = startEarly(1);
  const thread = early.take()!;
  await thread.end();
  const slabs = createSlabs();
  const judges = openJudges({
    ...{ source, slabs, commits: 1, jobs: 1 },
    early: { take: () => thread, end: early.end },
  });
  for (let i = 0; i < 2; i++) {
    const slab = slabs.take(1000);
    await assert.rejects(judges.judge([makeCase(slab)], slab), /Expected a thread to judge, found its end/);
  }
  await judges.dispose();
});

test("an old content that was to be kept and is not is lost, and no longer counted on", async () => {
  const slabs = createSlabs();
  const judges = openJudges({ source, slabs, commits: 1, jobs: 0 });
  const slab = slabs.take(1000);
  const oldOid = "a".repeat(40);
  judges.kept!.add(oldOid);
  const { outcomes, lines } = await judges.judge([{ ...makeCase(slab), oldOid, old: "kept" }], slab);
  assert.deepEqual([outcomes, lines.length, judges.kept!.has(oldOid)], [["lost"], 0, false]);
  await judges.dispose();
});

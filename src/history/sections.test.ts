// Whether what is kept stays as it is until it is freed, and the buffers go round.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { createSections } from "./sections.ts";

test("random sections stay whole until they are freed, in few buffers", () => {
  const random = createRandom(11);
  const sections = createSections();
  const living: { readonly kept: Buffer; readonly byte: number; readonly size: number }[] = [];
  const buffers = new Set<unknown>();
  for (let i = 0; i < 20_000; i++) {
    const size = random.below(20) === 0 ? random.below(60_000) : random.below(2000);
    const byte = random.below(256);
    const kept = sections.keep(Buffer.alloc(size, byte));
    living.push({ kept, byte, size });
    buffers.add(kept.buffer);
    // Mostly the oldest goes first.
    if (living.length < 100) continue;
    const [gone] = living.splice(random.below(4) === 0 ? random.below(100) : 0, 1);
    assert.ok(gone!.kept.length === gone!.size && gone!.kept.every((one) => one === gone!.byte), `${i}`);
    sections.free(gone!.kept);
  }
  assert.ok(buffers.size < 20, `${buffers.size} buffers for ${20_000} sections`);
});

test("a section larger than a buffer has its own, and one that is empty is one", () => {
  const sections = createSections();
  const small = sections.keep(Buffer.from("small"));
  const large = sections.keep(Buffer.alloc(1 << 20, 7));
  const none = sections.keep(Buffer.alloc(0));
  assert.deepEqual([small.toString(), large.length, large.at(-1), none.length], ["small", 1 << 20, 7, 0]);
  for (const one of [large, none, small]) sections.free(one);
  assert.equal(sections.keep(Buffer.from("again")).toString(), "again");
});

// A list stays the same object while its buffers do, and only then.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Buffers, createBuffer } from "../runtime/device.ts";
import { SameLists } from "./same.ts";

const buffer = () => createBuffer("float32", [1], new Float32Array(1));

test("the same buffers are the same list, a changed one is another, each place has its own", () => {
  const lists = new SameLists();
  const [x, y] = [buffer(), buffer()];
  const many: Buffers = Object.fromEntries(["a", "b", "c", "d", "e"].map((name) => [name, buffer()]));
  const first = lists.of("one", [{ x }, many, {}]);
  assert.equal(lists.of("one", [{ x }, many, {}]), first);
  assert.notEqual(lists.of("two", [{ x }, many, {}]), first);
  for (const other of [
    [{ x: y }, many, {}],
    [{ y: x }, many, {}],
    [{ x }, { ...many }, {}],
    [{ x }, many],
  ]) {
    const before = lists.of("one", [{ x }, many, {}]);
    const after = lists.of("one", other);
    assert.notEqual(after, before);
    assert.equal(after, other);
  }
  const held = lists.of("one", [{ x }]);
  lists.clear();
  assert.notEqual(lists.of("one", [{ x }]), held);
});

test("lists that are not to be held let go of what was in them", () => {
  const lists = new SameLists(false);
  const records = [{}, {}];
  lists.of("a", records);
  assert.notEqual(lists.of("a", [...records]), records);
  assert.equal(new SameLists().of("a", records), records);
});

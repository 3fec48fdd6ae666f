// A set of ids.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { createIdSet } from "./ids.ts";

test("holds what was added and nothing else, the id of nothing too", () => {
  const ids = Array.from({ length: 5000 }, (_, i) => createHash("sha1").update(`${i}`).digest("hex"));
  const set = createIdSet();
  for (const id of ids.slice(0, 4000)) set.add(id);
  assert.ok(ids.slice(0, 4000).every((id) => set.has(id)));
  assert.ok(!ids.slice(4000).some((id) => set.has(id)));
  assert.equal(set.has("0".repeat(40)), false);
  set.add("0".repeat(40));
  assert.equal(set.has("0".repeat(40)), true);
});

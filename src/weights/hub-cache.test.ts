// Which model of the hub a path in a cache folder is of.

import assert from "node:assert/strict";
import { test } from "node:test";
import { originOf, repositoryCache } from "./hub-cache.ts";

test("a snapshot's folder and its files tell their repository and commit, other paths nothing", () => {
  const commit = "0123456789abcdef0123456789abcdef01234567";
  const folder = repositoryCache("/home/me/.cache/huggingface/hub", "org/small-1.5--x").snapshot(commit);
  const origin = { repo: "org/small-1.5--x", commit };
  assert.deepEqual(originOf(folder), origin);
  assert.deepEqual(originOf(`${folder}/model.Q4_0.gguf`), origin);
  for (const path of [
    "/models/org/small",
    "/x/models--org--a/blobs/0123",
    `/x/snapshots/${commit}`,
    folder.slice(0, -1),
  ])
    assert.equal(originOf(path), null, path);
});

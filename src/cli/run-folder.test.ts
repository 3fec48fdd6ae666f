// A run says where its base and its data are in a way that outlives a move of the repository.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { findPlan, type RunPlan, writePlan } from "./run-folder.ts";

const root = mkdtempSync(join(tmpdir(), "codefudge-workspace-"));
after(() => rmSync(root, { recursive: true }));

function planIn(repository: string, base: string): RunPlan {
  return {
    ...{ version: 1, kind: "adapter", format: "region", base_sha256: "", dataset_sha256: "", identity: "" },
    base,
    dataset: join(repository, ".codefudge", "dataset"),
    adapter: null,
    continues: join(repository, ".codefudge", "runs", "before"),
    options: {},
  } as RunPlan;
}

test("a repository that is moved takes its runs along; what lies outside stays where it is", () => {
  const [here, there] = [join(root, "here"), join(root, "there")];
  const outside = join(root, "models", "small");
  const run = (repository: string) => join(repository, ".codefudge", "runs", "one");
  mkdirSync(run(here), { recursive: true });
  writePlan(run(here), planIn(here, outside));
  assert.doesNotMatch(readFileSync(join(run(here), "plan.json"), "utf8"), /here/);
  assert.deepEqual(findPlan(run(here)), planIn(here, outside));
  renameSync(here, there);
  assert.deepEqual(findPlan(run(there)), planIn(there, outside));
});

test("a base within the run moves with it", () => {
  const repository = join(root, "scratch");
  const run = join(repository, ".codefudge", "runs", "scratch");
  mkdirSync(run, { recursive: true });
  writePlan(run, planIn(repository, join(run, "base-01234567")));
  assert.match(readFileSync(join(run, "plan.json"), "utf8"), /"base": "base-01234567"/);
});

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { datasetClaim, requireClaim, runClaim } from "./claim.ts";

function inFolderOf(files: Readonly<Record<string, string>>, work: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "codefudge-test-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      if (name.endsWith("/")) mkdirSync(join(folder, name));
      else writeFileSync(join(folder, name), text);
    }
    work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const manifest = '{"version":1,"counters":{},"sha256":{}}';
const plan = '{"version":1,"kind":"adapter"}';

test("new, empty and unfinished folders of ours are taken, and finished ones with whatever lies beside", () => {
  requireClaim("/no/such/folder", datasetClaim);
  for (const files of [{}, { lock: "1", ".a.tmp": "" }, { journal: "x", lock: "1" }]) {
    inFolderOf(files, (folder) => requireClaim(folder, datasetClaim));
  }
  inFolderOf({ "manifest.json": manifest, "notes.txt": "mine" }, (folder) =>
    requireClaim(folder, datasetClaim),
  );
  for (const files of [{ "base-0123abcd/": "" }, { "plan.json": plan, "README.md": "" }]) {
    inFolderOf(files, (folder) => requireClaim(folder, runClaim));
  }
});

test("somebody else's folder is refused, by the names of what is there", () => {
  const readme = { "README.md": "mine", "train.jsonl": "{}" };
  inFolderOf(readme, (folder) =>
    assert.throws(
      () => requireClaim(folder, datasetClaim),
      /^UserError: Expected a new or empty folder at .*, or one that codefudge history made, found README.md, train.jsonl there; give another with --output$/,
    ),
  );
  for (const text of ['{"version":1}', "no json", "null"]) {
    inFolderOf({ "manifest.json": text }, (folder) =>
      assert.throws(() => requireClaim(folder, datasetClaim), /found manifest.json there/),
    );
  }
  inFolderOf({ "adapter_model.safetensors": "theirs", "run.json": '{"user":1}' }, (folder) =>
    assert.throws(
      () => requireClaim(folder, runClaim),
      /found adapter_model.safetensors, run.json there; give another with --run$/,
    ),
  );
});

// The cache that fetching leaves, read by huggingface_hub: offline it finds every file, and lists the repository without
// a warning. Needs Python: CODEFUDGE_VENV names an environment with huggingface_hub (2.4.0 was used).

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fetchModel } from "../../src/weights/hub-fetch.ts";
import { parseHubName } from "../../src/weights/hub-name.ts";
import { playHub } from "../hub-server.ts";

const VENV = process.env.CODEFUDGE_VENV;
const skip = VENV === undefined && "CODEFUDGE_VENV is not set";
const cache = mkdtempSync(join(tmpdir(), "codefudge-hub-"));
after(() => rmSync(cache, { recursive: true, force: true }));

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const weights = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 31) & 255));
const files = [
  { name: "config.json", bytes: Buffer.from('{"model_type":"llama"}') },
  { name: "tokenizer.json", bytes: Buffer.from("{}") },
  { name: "model.safetensors", bytes: weights, large: true },
];

const READ = `
import json, sys
from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download
cache = sys.argv[1]
info = scan_cache_dir(cache)
print(json.dumps({
    "folder": snapshot_download("org/tiny", cache_dir=cache),
    "file": hf_hub_download("org/tiny", "model.safetensors", cache_dir=cache),
    "warnings": [str(warning) for warning in info.warnings],
    "repos": [[r.repo_id, r.size_on_disk, [[v.commit_hash, sorted(v.refs), v.nb_files] for v in r.revisions]] for r in info.repos],
}))`;

test("huggingface_hub reads the cache, offline", { skip }, async () => {
  const hub = await playHub({ "org/tiny": { commit: COMMIT, files } });
  const options = { endpoint: hub.endpoint, cache, token: undefined, timeout: 5, offline: false };
  for await (const _ of fetchModel(parseHubName("org/tiny")!, options));
  await hub.close();
  const env = { ...process.env, HF_HUB_OFFLINE: "1", HF_HUB_DISABLE_TELEMETRY: "1" };
  const text = execFileSync(join(VENV!, "bin", "python"), ["-c", READ, cache], { env, encoding: "utf8" });
  const found = JSON.parse(text.trim().split("\n").at(-1)!);
  assert.deepEqual(found.warnings, []);
  const size = files.reduce((sum, { bytes }) => sum + bytes.length, 0);
  assert.deepEqual(found.repos, [["org/tiny", size, [[COMMIT, ["main"], 3]]]]);
  assert.equal(found.folder, join(cache, "models--org--tiny", "snapshots", COMMIT));
  assert.deepEqual(readFileSync(found.file), weights);
});

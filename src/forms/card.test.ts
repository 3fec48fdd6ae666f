// Cards of datasets and of other forms: a header that YAML readers take, nothing of this disk in it, and nothing from
// a repository that becomes markup.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { DatasetManifest } from "../dataset/store.ts";
import { datasetCard } from "./card.ts";
import { columnNames } from "./columns.ts";

const MANIFEST: DatasetManifest = {
  version: 1,
  examples: { train: 900, validation: 0, test: 200 },
  counters: { commits: 40, records: 1200, examples: 1100, binary: 100, symlink: 0 },
  options: {},
  created: { repository: "/home/ada/secret/project", head: "abc123" },
  sha256: {},
};

function headerOf(card: string): string[] {
  const [, header] = /^---\n(.*?)\n---\n/s.exec(card)!;
  return header!.split("\n");
}

test("the header names each split that has examples, and the type of every column", () => {
  const header = headerOf(datasetCard(MANIFEST));
  assert.deepEqual(
    header.filter((line) => /split:|path:/.test(line)),
    ["  - split: train", "    path: train.jsonl", "  - split: test", "    path: test.jsonl"],
  );
  const names = header.filter((line) => line.startsWith("  - name: ")).map((line) => line.slice(10));
  assert.deepEqual(names, [...columnNames]);
  assert.ok(header.includes("- 1K<n<10K"));
});

test("counters that count nothing are left out, and so is the place on the disk", () => {
  const card = datasetCard(MANIFEST);
  assert.match(card, /\| binary \| 100 \|/);
  assert.doesNotMatch(card, /symlink|secret|home/);
  assert.match(card, /Newest commit: `abc123`/);
});

test("a licence is named where the manifest has one that is an id", () => {
  const withLicence = (licence: unknown) => datasetCard({ ...MANIFEST, created: { licence } });
  assert.match(withLicence("MIT"), /^license: mit$/m);
  assert.match(withLicence("MIT"), /under the licence of the repository that they come from: MIT\./);
  assert.match(withLicence("do: what\nyou: want"), /^license: unknown$/m);
});

test("names from a repository stay on their line and are no markup", () => {
  const repository = '/x/na"me\n---\n<script>|`*_';
  const card = datasetCard({ ...MANIFEST, created: { repository, head: "`\n# head" } });
  assert.equal(headerOf(card)[0], `pretty_name: ${JSON.stringify('Changes of na"me\n---\n<script>|`*_')}`);
  assert.doesNotMatch(card.replace(/^pretty_name.*$/m, ""), /<script>|\|`|\n# head/);
});

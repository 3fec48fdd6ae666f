// Models of other programs: stores as those programs lay them out, made by hand.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { findInStores } from "./stores.ts";

const root = mkdtempSync(join(tmpdir(), "codefudge-stores-"));
after(() => rmSync(root, { recursive: true, force: true }));

const stores = { ollama: [join(root, "none"), join(root, "ollama")], lmStudio: [join(root, "lm")] };

function write(path: string, text: string): string {
  const whole = join(root, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, text);
  return whole;
}

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const model = (sha: string) => ({ mediaType: "application/vnd.ollama.image.model", digest: sha, size: 4 });

function manifest(place: string, layers: unknown): void {
  write(`ollama/manifests/${place}`, JSON.stringify({ schemaVersion: 2, layers }));
}

const blob = write(`ollama/blobs/sha256-${"a".repeat(64)}`, "GGUF");

test("a model of Ollama's library, of a user, and one that it has from the hub", () => {
  const template = { mediaType: "application/vnd.ollama.image.template", digest: digest("b") };
  manifest("registry.ollama.ai/library/qwen2.5-coder/0.5b", [model(digest("a")), template]);
  manifest("registry.ollama.ai/library/tiny/latest", [model(digest("a"))]);
  manifest("registry.ollama.ai/someone/tiny/q8", [model(digest("a"))]);
  manifest("hf.co/org/tiny-GGUF/Q4_K_M", [model(digest("a"))]);
  for (const text of ["qwen2.5-coder:0.5b", "tiny", "someone/tiny:q8", "org/tiny-GGUF:Q4_K_M"]) {
    assert.deepEqual(findInStores(text, stores), { path: blob, where: "Ollama" }, text);
  }
  for (const text of [
    "qwen2.5-coder",
    "tiny:8b",
    "org/tiny-GGUF",
    "../library/tiny",
    "a/b/c",
    "",
    "tiny@main",
  ]) {
    assert.equal(findInStores(text, stores), undefined, text);
  }
});

test("a manifest that is damaged, leads elsewhere or has an adapter is as if it were not there", () => {
  const adapter = { mediaType: "application/vnd.ollama.image.adapter", digest: digest("a") };
  const wrong = [
    [model(digest("a")), adapter],
    [model(digest("a")), model(digest("a"))],
    [model(digest("c"))],
    [model("sha256:../../../etc/passwd")],
    [null, 3],
    "layers",
  ];
  for (const layers of wrong) {
    manifest("registry.ollama.ai/library/wrong/latest", layers);
    assert.equal(findInStores("wrong", stores), undefined);
  }
  write("ollama/manifests/registry.ollama.ai/library/wrong/latest", "{");
  assert.equal(findInStores("wrong", stores), undefined);
});

test("LM Studio: the one GGUF file, the one that is named, or a whole folder", () => {
  const one = write("lm/org/tiny-GGUF/tiny-Q8_0.gguf", "");
  write("lm/org/tiny-GGUF/mmproj-tiny.gguf", "");
  assert.deepEqual(findInStores("org/tiny-GGUF", stores), { path: one, where: "LM Studio" });
  const other = write("lm/org/tiny-GGUF/tiny-Q4_0.gguf", "");
  assert.deepEqual(findInStores("org/tiny-GGUF:q4_0", stores), { path: other, where: "LM Studio" });
  assert.throws(() => findInStores("org/tiny-GGUF", stores), {
    name: "UserError",
    message: /one GGUF file of org\/tiny-GGUF .*say which with org\/tiny-GGUF:PART/,
  });
  assert.equal(findInStores("org/tiny-GGUF@v1", stores), undefined);
  write("lm/org/whole/config.json", "{}");
  write("lm/org/whole/model.safetensors", "");
  assert.deepEqual(findInStores("org/whole", stores), {
    path: join(root, "lm/org/whole"),
    where: "LM Studio",
  });
  write("lm/org/part/config.json", "{}");
  assert.equal(findInStores("org/part", stores), undefined);
});

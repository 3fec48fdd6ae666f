// What is listed: stores and caches as other programs lay them out, made by hand; each listed name finds its model.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { listModels } from "./inventory.ts";

const root = mkdtempSync(join(tmpdir(), "codefudge-inventory-"));
after(() => rmSync(root, { recursive: true, force: true }));

const places = {
  stores: { ollama: [join(root, "none"), join(root, "ollama")], lmStudio: [join(root, "lm")] },
  cache: join(root, "hub"),
};

function write(path: string, text: string): string {
  const whole = join(root, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, text);
  return whole;
}

test("no store and no cache is no model", () => {
  assert.deepEqual(listModels(places), []);
});

test("every whole model is listed under a name that finds it, with the size of its weights", () => {
  const digest = `sha256:${"a".repeat(64)}`;
  const blob = write(`ollama/blobs/${digest.replace(":", "-")}`, "GGUF12");
  const layers = [{ mediaType: "application/vnd.ollama.image.model", digest }];
  write("ollama/manifests/registry.ollama.ai/library/coder/0.5b", JSON.stringify({ layers }));
  write("ollama/manifests/hf.co/org/tiny-GGUF/Q4_K_M", JSON.stringify({ layers }));
  write("ollama/manifests/registry.ollama.ai/library/broken/latest", "{");
  const one = write("lm/org/one-GGUF/one-Q8_0.gguf", "1234");
  write("lm/org/one-GGUF/mmproj-one.gguf", "12345678");
  const small = write("lm/org/two-GGUF/two-Q4_0.gguf", "12");
  const large = write("lm/org/two-GGUF/two-Q8_0.gguf", "123");
  write("lm/org/part/config.json", "{}");
  write("lm/stray.txt", "");
  const commit = "c".repeat(40);
  write("hub/models--org--whole/refs/main", commit);
  write("hub/models--org--whole/refs/v1", commit);
  const folder = dirname(write(`hub/models--org--whole/snapshots/${commit}/config.json`, "{}"));
  write("hub/models--org--whole/blobs/b", "12345");
  symlinkSync("../../blobs/b", join(folder, "model.safetensors"));
  write("hub/models--org--half/refs/main", commit);
  write(`hub/models--org--half/snapshots/${commit}/config.json`, "{}");
  write("hub/datasets--org--data/refs/main", commit);
  assert.deepEqual(listModels(places), [
    { name: "org/whole", where: "Hugging Face", path: folder, bytes: 5 },
    { name: "org/whole@v1", where: "Hugging Face", path: folder, bytes: 5 },
    { name: "org/one-GGUF", where: "LM Studio", path: one, bytes: 4 },
    { name: "org/two-GGUF:Q4_0", where: "LM Studio", path: small, bytes: 2 },
    { name: "org/two-GGUF:Q8_0", where: "LM Studio", path: large, bytes: 3 },
    { name: "coder:0.5b", where: "Ollama", path: blob, bytes: 6 },
    { name: "org/tiny-GGUF:Q4_K_M", where: "Ollama", path: blob, bytes: 6 },
  ]);
});

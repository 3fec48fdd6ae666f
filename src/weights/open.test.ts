import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ggufBytes, llamaMetadata } from "../../test/gguf-bytes.ts";
import { writeModelFolder } from "./folder.ts";
import { openWeights } from "./open.ts";

const root = mkdtempSync(join(tmpdir(), "codefudge-open-"));
after(() => rmSync(root, { recursive: true, force: true }));

const gguf = ggufBytes({
  metadata: llamaMetadata({ hidden: 32, heads: 1, keyValueHeads: 1, blocks: 1 }),
  tensors: [{ name: "token_embd.weight", storage: "BF16", shape: [4, 32] }],
});

test("a .gguf file, one without an ending, and a folder open", () => {
  for (const name of ["model.gguf", "sha256-0a1b"]) {
    const path = join(root, name);
    writeFileSync(path, gguf);
    const source = openWeights(path);
    assert.equal(source.tokenizer.kind, "gguf");
    assert.equal(source.name, path);
    source.dispose();
  }
  const path = join(root, "folder");
  writeModelFolder(path, { config: { model_type: "llama" }, arrays: new Map(), tokenizerFiles: {} });
  const source = openWeights(path);
  assert.equal(source.tokenizer.kind, "files");
  source.dispose();
});

test("anything else is one sentence that says what to give", () => {
  const refuses = (model: string, message: RegExp) =>
    assert.throws(() => openWeights(model), { name: "UserError", message });
  refuses(join(root, "gone"), /found nothing there: check the path/);
  refuses("models/gone.gguf", /found nothing there: check the path/);
  const text = join(root, "notes.txt");
  writeFileSync(text, "hello");
  refuses(text, /found the file .*notes\.txt: give one of those/);
  refuses(join(root, "folder", "model.safetensors"), /give its folder, .*folder$/);
  const cut = join(root, "cut.gguf");
  writeFileSync(cut, gguf.subarray(0, gguf.length - 100));
  refuses(cut, new RegExp(`at least ${gguf.length} bytes in .*cut\\.gguf, found ${gguf.length - 100}`));
});

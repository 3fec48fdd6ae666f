import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openFolder, writeModelFolder } from "./folder.ts";
import { writePytorch } from "./pytorch.ts";
import { writeSafetensors } from "./safetensors.ts";

const root = mkdtempSync(join(tmpdir(), "codefudge-folder-"));
after(() => rmSync(root, { recursive: true, force: true }));

const model = {
  config: { model_type: "llama", hidden_size: 2 },
  arrays: new Map([["model.norm.weight", { shape: [2], data: Float32Array.from([1, 2]) }]]),
  tokenizerFiles: { "tokenizer.json": "{}\n", "tokenizer_config.json": '{"eos_token":"x"}\n' },
};

function array(values: readonly number[]) {
  return { shape: [values.length], data: Float32Array.from(values) };
}

test("a written folder is read back", () => {
  const path = join(root, "written");
  writeModelFolder(path, model);
  const source = openFolder(path);
  assert.deepEqual(source.config, model.config);
  assert.deepEqual([...source.arrays.keys()], ["model.norm.weight"]);
  assert.deepEqual([...source.read("model.norm.weight")], [1, 2]);
  assert.deepEqual(source.tokenizer, { kind: "files", files: model.tokenizerFiles });
  const bytes = readFileSync(join(path, "model.safetensors"));
  assert.equal(source.hash(), createHash("sha256").update(bytes).digest("hex"));
  source.dispose();
});

test("what transformers wants as a float is written as one", () => {
  const path = join(root, "floats");
  const config = {
    initializer_factor: 1,
    layer_norm_epsilon: 1e-6,
    dropout_rate: 0,
    d_model: 2,
    num_layers: 1,
  };
  writeModelFolder(path, { ...model, config });
  const text = readFileSync(join(path, "config.json"), "utf8");
  assert.match(
    text,
    /"initializer_factor": 1\.0,\n.*"layer_norm_epsilon": 0\.000001,\n.*"dropout_rate": 0\.0,/,
  );
  assert.match(text, /"d_model": 2,\n.*"num_layers": 1\n/);
  assert.deepEqual(JSON.parse(text), config);
});

/** A folder with two shards and this weight_map. */
function sharded(name: string, weightMap: unknown): string {
  const path = join(root, name);
  writeModelFolder(path, model);
  rmSync(join(path, "model.safetensors"));
  writeSafetensors(join(path, "model-1.safetensors"), new Map([["a", array([1])]]));
  writeSafetensors(join(path, "model-2.safetensors"), new Map([["b", array([2])]]));
  writeFileSync(join(path, "model.safetensors.index.json"), JSON.stringify({ weight_map: weightMap }));
  return path;
}

test("a SentencePiece model is read as bytes, where there is no tokenizer.json", () => {
  const path = join(root, "pieces");
  const bytes = Uint8Array.of(0, 200, 13, 10);
  writeModelFolder(path, { ...model, tokenizerFiles: {} });
  writeFileSync(join(path, "spiece.model"), bytes);
  const tokenizer = () => {
    const source = openFolder(path);
    source.dispose();
    return source.tokenizer;
  };
  assert.deepEqual(tokenizer(), { kind: "files", files: { "spiece.model": bytes } });
  writeFileSync(join(path, "tokenizer.json"), "{}");
  assert.deepEqual(tokenizer(), { kind: "files", files: { "tokenizer.json": "{}" } });
});

test("shards are one source", () => {
  const path = sharded("sharded", { a: "model-1.safetensors", b: "model-2.safetensors" });
  const source = openFolder(path);
  assert.deepEqual([...source.read("a"), ...source.read("b")], [1, 2]);
  const hash = createHash("sha256");
  for (const name of ["model-1.safetensors", "model-2.safetensors"])
    hash.update(readFileSync(join(path, name)));
  assert.equal(source.hash(), hash.digest("hex"));
  source.dispose();
});

test("an index that leads out of the folder, or to nothing, is refused", () => {
  for (const name of ["../written/model.safetensors", "/etc/passwd", "sub/x.safetensors", "x.bin", 3]) {
    assert.throws(() => openFolder(sharded("leaving", { a: name })), {
      name: "UserError",
      message: /names of \.safetensors files beside/,
    });
  }
  assert.throws(() => openFolder(sharded("gone", { a: "model-9.safetensors" })), {
    name: "UserError",
    message: /a readable file at .*model-9\.safetensors/,
  });
  assert.throws(() => openFolder(sharded("none", [])), {
    name: "UserError",
    message: /an object weight_map/,
  });
});

test("the same array in two shards is refused", () => {
  const path = sharded("twice", { a: "model-1.safetensors", b: "model-2.safetensors" });
  writeSafetensors(join(path, "model-2.safetensors"), new Map([["a", array([2])]]));
  assert.throws(() => openFolder(path), { name: "UserError", message: /a in one file only/ });
});

test("what is missing is said, with what to do", () => {
  const path = join(root, "bare");
  mkdirSync(path);
  const refuses = (message: RegExp) => assert.throws(() => openFolder(path), { name: "UserError", message });
  refuses(/config\.json in the model folder .*: give a folder in Hugging Face layout/);
  writeFileSync(join(path, "adapter_config.json"), "{}");
  refuses(/this is an adapter, give the folder of its base model/);
  writeFileSync(join(path, "config.json"), "{}");
  refuses(/the text model_type/);
  writeFileSync(join(path, "config.json"), '{"model_type":"llama"}');
  refuses(
    /one of model\.safetensors, .*pytorch_model\.bin\.index\.json in .*found none: put its weights beside config\.json/,
  );
  writeFileSync(join(path, "pytorch_model.bin"), "PK");
  refuses(/Expected .*pytorch_model\.bin/);
});

test("PyTorch's own files are read, whole and in shards, safetensors first", () => {
  const path = join(root, "pytorch");
  writeModelFolder(path, model);
  writePytorch(join(path, "pytorch_model.bin"), new Map([["a", array([3])]]));
  const names = () => {
    const source = openFolder(path);
    source.dispose();
    return [...source.arrays.keys()];
  };
  assert.deepEqual(names(), ["model.norm.weight"]);
  rmSync(join(path, "model.safetensors"));
  assert.deepEqual(names(), ["a"]);
  writePytorch(join(path, "one.bin"), new Map([["b", array([4, 5])]]));
  rmSync(join(path, "pytorch_model.bin"));
  writeFileSync(join(path, "pytorch_model.bin.index.json"), '{"weight_map":{"b":"one.bin"}}');
  const source = openFolder(path);
  assert.deepEqual([...source.read("b")], [4, 5]);
  source.dispose();
  writeFileSync(join(path, "pytorch_model.bin.index.json"), '{"weight_map":{"b":"one.safetensors"}}');
  assert.throws(names, { name: "UserError", message: /names of \.bin files/ });
});

test("whether a T5's head is tied is seen in its weights, whether it is scaled in either spelling", () => {
  const settings = (config: Record<string, unknown>, names: readonly string[]) => {
    const path = join(root, "t5");
    const arrays = new Map(names.map((name) => [name, array([1])]));
    writeModelFolder(path, { ...model, config: { model_type: "t5", ...config }, arrays });
    const source = openFolder(path);
    source.dispose();
    const { tie_word_embeddings, scale_decoder_outputs } = source.config;
    return { tie_word_embeddings, scale_decoder_outputs };
  };
  const untied = ["shared.weight", "lm_head.weight"];
  assert.deepEqual(settings({}, ["shared.weight"]), {
    tie_word_embeddings: true,
    scale_decoder_outputs: true,
  });
  assert.deepEqual(settings({ tie_word_embeddings: false }, untied), {
    tie_word_embeddings: false,
    scale_decoder_outputs: false,
  });
  assert.deepEqual(settings({ tie_word_embeddings: true, scale_decoder_outputs: false }, untied), {
    tie_word_embeddings: false,
    scale_decoder_outputs: false,
  });
});

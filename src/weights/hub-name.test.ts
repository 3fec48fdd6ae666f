import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../base/errors.ts";
import { chooseFiles } from "./hub-choice.ts";
import { parseHubName } from "./hub-name.ts";

test("names, parts and revisions", () => {
  const main = { part: undefined, revision: "main" };
  assert.deepEqual(parseHubName("Qwen/Qwen2.5-Coder-0.5B"), { repo: "Qwen/Qwen2.5-Coder-0.5B", ...main });
  assert.deepEqual(parseHubName("a/b@refs/pr/3"), { repo: "a/b", part: undefined, revision: "refs/pr/3" });
  assert.deepEqual(parseHubName("a/b-GGUF:Q4_K_M@v1.0"), {
    repo: "a/b-GGUF",
    part: "Q4_K_M",
    revision: "v1.0",
  });
});

test("what no hub would take, or would lead out of the cache, is no name", () => {
  const texts = [
    ...[
      "",
      "model",
      "a/b/c",
      "/a/b",
      "./a",
      "../b",
      "a/..",
      "a/b@",
      "a/b@../x",
      "a/b@x//y",
      "a/b@/etc",
      "a/b@.",
    ],
    ...[
      "a--b/c",
      "a/b..c",
      "a/.b",
      "-a/b",
      "a/b-",
      "a/b.git",
      "a b/c",
      "a/b:",
      "a/b\n",
      `a/${"b".repeat(100)}`,
      "https://a/b",
    ],
  ];
  for (const text of texts) assert.equal(parseHubName(text), undefined, text);
});

const choose = (names: readonly string[], text = "org/name") => chooseFiles(names, parseHubName(text)!);

test("weights in Hugging Face's layout come before GGUF, and files below folders are left", () => {
  const names = [
    "config.json",
    "tokenizer.json",
    "model.safetensors",
    "x.gguf",
    "README.md",
    "onnx/config.json",
  ];
  assert.deepEqual(choose(names), {
    kind: "folder",
    files: ["config.json", "tokenizer.json"],
    weights: ["model.safetensors"],
  });
  const shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  const index = "model.safetensors.index.json";
  assert.deepEqual(choose(["config.json", index, ...shards]), {
    kind: "folder",
    files: ["config.json"],
    weights: [index, ...shards],
  });
  const model = ["model.safetensors", "spiece.model"];
  const others = (names: readonly string[]) => {
    const choice = choose(names);
    return choice.kind === "folder" ? choice.files : [];
  };
  assert.deepEqual(others(["config.json", ...model]), ["config.json", "spiece.model"]);
  assert.deepEqual(others([...model, "config.json", "tokenizer.json"]), ["config.json", "tokenizer.json"]);
  const pickles = ["pytorch_model-1-of-1.bin", "pytorch_model.bin.index.json", "config.json"];
  assert.deepEqual(choose(pickles), {
    kind: "folder",
    files: ["config.json"],
    weights: [pickles[1], pickles[0]],
  });
  assert.deepEqual(choose(names, "org/name:x"), { kind: "gguf", file: "x.gguf" });
});

test("a part of a GGUF's name chooses it, whole parts first", () => {
  const names = ["m-Q4_K.gguf", "m-Q4_K_M.gguf", "mmproj-f16.gguf", "m-Q8_0-00001-of-00002.gguf"];
  assert.deepEqual(choose(names, "org/name:q4_k"), { kind: "gguf", file: "m-Q4_K.gguf" });
  assert.deepEqual(choose(names, "org/name:Q4_K_M"), { kind: "gguf", file: "m-Q4_K_M.gguf" });
  assert.throws(
    () => choose(names),
    (error) => error instanceof UserError && /say which with org\/name:PART/.test(error.message),
  );
  assert.throws(() => choose(["a.bin"]), /found a\.bin: choose another model/);
});

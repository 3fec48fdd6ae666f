import assert from "node:assert/strict";
import { test } from "node:test";
import { neg } from "../graph/build.ts";
import { writeProgram } from "../graph/onnx.ts";
import { input } from "../graph/tensor.ts";
import { createBuffer } from "./device.ts";
import { buffersUnder, Programs } from "./programs.ts";

test("a program is compiled once for its key, and again after all were let go", async () => {
  const programs = new Programs({ threads: 1, arena: true });
  let built = 0;
  const build = () => {
    built++;
    return writeProgram("negative", { y: neg(input("x", "float32", [2])) });
  };
  const first = await programs.get("negative", build);
  assert.equal(await programs.get("negative", build), first);
  const { y } = await first.run({ x: createBuffer("float32", [2], Float32Array.of(1, -2)) });
  assert.deepEqual([...y!.data], [-1, 2]);
  await programs.dispose();
  assert.notEqual(await programs.get("negative", build), first);
  assert.equal(built, 2);
  await programs.dispose();
});

test("buffers of one block by their names within it", () => {
  const buffer = createBuffer("float32", [1], Float32Array.of(1));
  const all = new Map(["layers.1.a", "layers.1.b", "layers.10.a", "norm"].map((name) => [name, buffer]));
  assert.deepEqual(Object.keys(buffersUnder(all, "layers.1.")), ["a", "b"]);
});

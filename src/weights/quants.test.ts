import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { quants } from "./quants.ts";

type Golden = Record<string, { blocks: string; values: string }>;

const golden = JSON.parse(
  readFileSync(new URL("../../test/golden/quants/blocks.json", import.meta.url), "utf8"),
) as Golden;

test("every storage type has golden blocks", () => {
  assert.deepEqual(Object.keys(golden).sort(), Object.keys(quants).sort());
});

for (const [name, storage] of Object.entries(quants)) {
  test(`${name} gives the bits of the gguf package`, () => {
    const blocks = Buffer.from(golden[name]!.blocks, "base64");
    const values = Buffer.from(golden[name]!.values, "base64");
    assert.ok(blocks.length > 0 && blocks.length % storage.bytes === 0);
    const out = new Float32Array((blocks.length / storage.bytes) * storage.blockSize);
    storage.dequantise(new Uint8Array(blocks), out);
    assert.equal(Buffer.compare(Buffer.from(out.buffer), values), 0);
  });
}

test("half-precision NaN keeps its payload", () => {
  const out = new Float32Array(1);
  quants.F16.dequantise(Uint8Array.from([0x01, 0xfe]), out);
  assert.equal(new Uint32Array(out.buffer)[0], 0xffc02000);
});

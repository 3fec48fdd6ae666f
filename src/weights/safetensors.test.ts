import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { UserError } from "../base/errors.ts";
import { createRandom } from "../base/random.ts";
import { type ArrayToWrite, openSafetensors, writeSafetensors } from "./safetensors.ts";

const folder = mkdtempSync(join(tmpdir(), "codefudge-safetensors-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, "model.safetensors");

const b: ArrayToWrite = { shape: [2, 2], data: Float32Array.from([1, -2.5, 1e-40, 3e38]) };
const a: ArrayToWrite = { shape: [3], data: () => Float32Array.from([7, 8, 9]) };

test("what is written is read back", () => {
  writeSafetensors(path, new Map(Object.entries({ b, a })), { format: "pt", note: "ü" });
  const file = openSafetensors(path);
  assert.deepEqual(file.metadata, { format: "pt", note: "ü" });
  assert.deepEqual(
    [...file.arrays.values()].map(({ name, storage, shape }) => ({ name, storage, shape })),
    [
      { name: "a", storage: "F32", shape: [3] },
      { name: "b", storage: "F32", shape: [2, 2] },
    ],
  );
  assert.deepEqual(file.read("b"), b.data);
  assert.deepEqual([...file.read("a")], [7, 8, 9]);
  assert.throws(() => file.read("c"), UserError);
  file.dispose();
});

test("the bytes do not depend on the order of the arrays", () => {
  const header =
    '{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[2,2],"data_offsets":[12,28]}}';
  for (const arrays of [
    { b, a },
    { a, b },
  ]) {
    writeSafetensors(path, new Map(Object.entries(arrays)));
    const bytes = readFileSync(path);
    const length = Number(bytes.readBigUInt64LE(0));
    assert.equal(length % 8, 0);
    assert.equal(bytes.toString("utf8", 8, 8 + length).trimEnd(), header);
    assert.equal(bytes.length, 8 + length + 28);
  }
});

test("a shape that does not fit its values leaves no file", () => {
  const place = join(folder, "wrong");
  assert.throws(() =>
    writeSafetensors(
      join(place, "x.safetensors"),
      new Map([["a", { shape: [4], data: new Float32Array(3) }]]),
    ),
  );
  assert.deepEqual(readdirSync(place), []);
});

function fileOf(header: unknown, data: Uint8Array): Buffer {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, data]);
}

function entry(dtype: string, shape: readonly number[], offsets: readonly number[]): unknown {
  return { dtype, shape, data_offsets: offsets };
}

test("half precision and integers become f32", () => {
  const data = Buffer.alloc(34);
  data.writeUInt16LE(0x3e00, 0);
  data.writeUInt16LE(0xbfc0, 2);
  data.writeBigInt64LE(-(2n ** 53n), 4);
  data.writeInt32LE(-7, 12);
  data.writeDoubleLE(0.1, 16);
  data.set([250, 250, 2], 24);
  data.writeInt16LE(-300, 27);
  const header = {
    half: entry("F16", [1], [0, 2]),
    brain: entry("BF16", [1], [2, 4]),
    long: entry("I64", [], [4, 12]),
    int: entry("I32", [1], [12, 16]),
    double: entry("F64", [1], [16, 24]),
    byte: entry("U8", [1], [24, 25]),
    signed: entry("I8", [1], [25, 26]),
    truth: entry("BOOL", [1], [26, 27]),
    short: entry("I16", [1], [27, 29]),
    none: entry("F32", [0, 4], [29, 29]),
  };
  writeFileSync(path, fileOf(header, data));
  const file = openSafetensors(path);
  const values = Object.keys(header).map((name) => [...file.read(name)]);
  assert.deepEqual(values, [
    [1.5],
    [-1.5],
    [-(2 ** 53)],
    [-7],
    [Math.fround(0.1)],
    [250],
    [-6],
    [1],
    [-300],
    [],
  ]);
  file.dispose();
});

function refuses(bytes: Uint8Array, message: RegExp): void {
  writeFileSync(path, bytes);
  assert.throws(() => openSafetensors(path), { name: "UserError", message });
}

test("each damage is one sentence", () => {
  const data = new Uint8Array(16);
  refuses(new Uint8Array(7), /at least 8 bytes, found 7/);
  refuses(Buffer.alloc(8, 255), /a header of at most 25000000 bytes, found 18446744073709551615/);
  refuses(fileOf("{}", data).subarray(0, 9), /at least 10 bytes .*found 9: the file is cut short/);
  refuses(fileOf("[]", data), /a JSON object as header/);
  refuses(fileOf("{nonsense", data), /a JSON object as header/);
  refuses(fileOf({ a: 3 }, data), /an object for a, found 3/);
  refuses(fileOf({ a: entry("F32", [-1], [0, 4]) }, data), /as shape of a, found \[-1\]/);
  refuses(fileOf({ a: entry("F32", [1], [0]) }, data), /as data_offsets of a, found \[0\]/);
  refuses(fileOf({ a: entry("F32", [2], [0, 4]) }, data), /8 bytes for a, found 4/);
  refuses(fileOf({ a: entry("F32", [2], [4, 0]) }, data), /8 bytes for a, found -4/);
  refuses(fileOf({ a: entry("F32", [2 ** 20, 2 ** 20], [0, 4]) }, data), /at most 4294967296 values in a/);
  refuses(fileOf({ a: entry("F32", [8], [0, 32]) }, data), /cut short/);
  refuses(fileOf({ a: entry("F8", [4], [0, 4]) }, data), /one of F32, .*found "F8": convert it/);
  const overlapping = { a: entry("F32", [2], [0, 8]), b: entry("F32", [2], [4, 12]) };
  refuses(fileOf(overlapping, data), /do not overlap, found b inside another/);
});

test("2,000 random damages: a sentence or a sound file, never a crash", () => {
  const random = createRandom(11);
  const good = fileOf({ a: entry("F32", [2], [0, 8]), b: entry("F16", [4], [8, 16]) }, new Uint8Array(16));
  let refused = 0;
  for (let round = 0; round < 2000; round++) {
    const bytes = Buffer.from(good);
    bytes[random.below(good.length - 16)] = random.below(256);
    writeFileSync(path, bytes);
    try {
      const file = openSafetensors(path);
      for (const name of file.arrays.keys()) file.read(name);
      file.dispose();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      refused++;
    }
  }
  assert.ok(refused > 1000);
});

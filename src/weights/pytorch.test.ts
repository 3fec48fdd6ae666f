// PyTorch's files: what torch wrote is read, what we write is read back in the same bytes, and nothing in a file can
// make it do more than give arrays. That torch reads ours is checked in test/reference/adapters.test.ts.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { UserError } from "../base/errors.ts";
import { createRandom } from "../base/random.ts";
import { BARE, openPytorch, writePytorch } from "./pytorch.ts";
import { openSafetensors } from "./safetensors.ts";
import { zipParts } from "./zip.ts";

const GOLDEN = new URL("../../test/golden/adapters/pfeiffer/", import.meta.url).pathname;
const temporary = mkdtempSync(join(tmpdir(), "codefudge-pytorch-"));
after(() => rmSync(temporary, { recursive: true }));
const path = join(temporary, "arrays.bin");

const arrays = new Map([
  ["b.weight", { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
  ["a.bias", { shape: [1], data: Float32Array.of(-0.5) }],
  ["scalar", { shape: [], data: Float32Array.of(7) }],
  ["none", { shape: [0, 4], data: new Float32Array(0) }],
]);

test("a file that torch wrote", () => {
  const file = openPytorch(`${GOLDEN}adapter/pytorch_adapter.bin`);
  const gradients = openSafetensors(`${GOLDEN}gradients.safetensors`);
  assert.deepEqual([...file.arrays.keys()].sort(), [...gradients.arrays.keys()].sort());
  for (const [name, { shape }] of gradients.arrays) {
    assert.deepEqual(file.arrays.get(name)!.shape, shape);
    assert.equal(file.read(name).length, gradients.read(name).length);
    assert.ok(file.read(name).some((value) => value !== 0));
  }
  assert.throws(() => file.read("nothing"), /Expected an array nothing in/);
  for (const { dispose } of [file, gradients]) dispose();
});

test("what is written is read back, in the same bytes each time, values at multiples of 64", () => {
  writePytorch(path, arrays);
  const bytes = readFileSync(path);
  writePytorch(path, arrays);
  assert.ok(readFileSync(path).equals(bytes));
  const file = openPytorch(path);
  assert.deepEqual([...file.arrays.keys()], [...arrays.keys()]);
  for (const [name, { shape, data }] of arrays) {
    assert.deepEqual(file.arrays.get(name)!.shape, shape);
    assert.deepEqual(file.read(name), data);
  }
  file.dispose();
  assert.equal(bytes.indexOf(Buffer.from(arrays.get("b.weight")!.data.buffer)) % 64, 0);
});

/** A pickle by hand: what stands between the protocol and the end. */
function withPickle(body: Buffer | string, values = Buffer.alloc(24)): string {
  const pickle = Buffer.concat([
    Buffer.from([0x80, 2]),
    Buffer.from(body as string, "latin1"),
    Buffer.from("."),
  ]);
  const parts = [
    { name: "x/data.pkl", data: pickle },
    { name: "x/data/0", data: values },
  ];
  writeFileSync(path, Buffer.concat([...zipParts(parts)]));
  return path;
}

function refusal(file: string): string {
  try {
    const opened = openPytorch(file);
    opened.dispose();
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    return error.message;
  }
  return "read";
}

const text = (value: string) => `X${String.fromCharCode(value.length)}\0\0\0${value}`;
/** One array of six values: its storage, offset, shape and stride. */
const tensor = (offset: string, [shape, stride]: readonly [string, string], storage = "FloatStorage") =>
  `}(${text("w")}ctorch._utils\n_rebuild_tensor_v2\n((${text("storage")}ctorch\n${storage}\n${text("0")}${text("cpu")}K\x06tQ${offset}(${shape}t(${stride}t\x89ccollections\nOrderedDict\n)RtRu`;

test("arrays with an offset, with turned axes, in half precision", () => {
  const values = Buffer.from(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);
  const read = (body: string, given = values) => {
    const file = openPytorch(withPickle(body, given));
    const found = [...file.read("w")];
    file.dispose();
    return found;
  };
  assert.deepEqual(read(tensor("K\0", ["K\x02K\x03", "K\x03K\x01"])), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(read(tensor("K\0", ["K\x03K\x02", "K\x01K\x03"])), [1, 4, 2, 5, 3, 6]);
  assert.deepEqual(read(tensor("K\x02", ["K\x02", "K\x01"])), [3, 4]);
  const halves = Buffer.from(Uint16Array.of(0x3c00, 0x4000, 0, 0, 0, 0xbc00).buffer);
  assert.deepEqual(read(tensor("K\0", ["K\x06", "K\x01"], "HalfStorage"), halves), [1, 2, 0, 0, 0, -1]);
});

test("one array without a name, as torch.save of a tensor writes it", () => {
  writePytorch(path, new Map([[BARE, { shape: [2, 3], data: Float32Array.from([1, 2, 3, 4, 5, 6]) }]]));
  const file = openPytorch(path);
  assert.deepEqual([...file.arrays.keys()], [BARE]);
  assert.deepEqual(file.arrays.get(BARE)!.shape, [2, 3]);
  assert.deepEqual([...file.read(BARE)], [1, 2, 3, 4, 5, 6]);
  file.dispose();
});

test("nothing that would import, call or build is taken", () => {
  for (const [body, sentence] of [
    ["cos\nsystem\n(X\x04\0\0\0truetR", /found the name os.system/],
    ["c__builtin__\neval\n)R", /found the name __builtin__.eval/],
    ["(S'x'\n", /found the operation 0x53 at byte 3/],
    ["(ios\nsystem\n", /found the operation INST at byte 3/],
    [`${text("os")}${text("system")}\x93`, /found the operation STACK_GLOBAL/],
    ["ccollections\nOrderedDict\n)\x81", /found the operation NEWOBJ/],
    ["ctorch._utils\n_rebuild_tensor_v2\n)R", /found something that is no array/],
    ["K\x01", /found something else than a dictionary/],
    [`}(${text("w")}K\x01u`, /found under w something that is no array/],
    [`}(K\x01K\x01u`, /found a key that is no text/],
    [`}(${text("w")}u`, /found pairs without a dictionary/],
    ["R", /found too few values/],
    ["h\0", /found the value 0 before it was given/],
    ["X\xff\xff\xff\x7f", /found an end after/],
    [tensor("K\x05", ["K\x02", "K\x01"]), /an array w that reaches beyond its values/],
    [tensor("K\0", ["K\x03K\x03", "K\0K\0"]), /reaches beyond/],
    [tensor("K\0", ["K\x07", "K\x01"]), /reaches beyond/],
    [tensor("K\0", ["K\x06", "K\x01"], "QUInt8Storage"), /found the name torch.QUInt8Storage/],
    [tensor("K\0", ["K\x06", "K\x01"], "DoubleStorage"), /found no values for w/],
  ] as const) {
    assert.match(refusal(withPickle(body)), sentence, JSON.stringify(body));
  }
});

test("other files, cut ones and empty ones are sentences", () => {
  writeFileSync(path, Buffer.from([0x80, 2, 0x8a, 10]));
  assert.match(refusal(path), /Expected a zip file as PyTorch 1.6 and later write it/);
  writeFileSync(path, "");
  assert.match(refusal(path), /Expected the end of a zip file/);
  writeFileSync(path, Buffer.concat([...zipParts([{ name: "x/other", data: Buffer.alloc(3) }])]));
  assert.match(refusal(path), /found no data.pkl/);
  writePytorch(path, arrays);
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.subarray(0, bytes.length - 30));
  assert.notEqual(refusal(path), "read");
});

test("changed bytes anywhere give arrays or a sentence", () => {
  writePytorch(path, arrays);
  const bytes = readFileSync(path);
  const random = createRandom(9);
  for (let i = 0; i < 1500; i++) {
    const changed = Buffer.from(bytes);
    for (let k = 0; k <= random.below(3); k++) changed[random.below(bytes.length)] = random.below(256);
    writeFileSync(path, i % 5 === 0 ? changed.subarray(0, random.below(bytes.length)) : changed);
    try {
      const file = openPytorch(path);
      for (const name of file.arrays.keys()) file.read(name);
      file.dispose();
    } catch (error) {
      assert.ok(error instanceof UserError, (error as Error).stack);
    }
  }
});

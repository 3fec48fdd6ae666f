// Files are whole or absent: what a failure in the middle of writing leaves behind, and what readers say.

import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { UserError } from "./errors.ts";
import {
  appendToFile,
  readJson,
  readText,
  removeLeftoversBelow,
  writeFileAtomic,
  writeFileFrom,
  writeJson,
} from "./files.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "codefudge-files-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

test("writes text and bytes, makes missing folders and leaves nothing else behind", () => {
  writeFileAtomic(join(folder, "a/b/text"), "Größe\n");
  writeFileAtomic(join(folder, "a/b/bytes"), Uint8Array.of(0, 255, 10));
  assert.equal(readFileSync(join(folder, "a/b/text"), "utf8"), "Größe\n");
  assert.deepEqual([...readFileSync(join(folder, "a/b/bytes"))], [0, 255, 10]);
  assert.deepEqual(readdirSync(join(folder, "a/b")).sort(), ["bytes", "text"]);
});

test("replaces the old content", () => {
  writeFileAtomic(join(folder, "file"), "a longer old content");
  writeFileAtomic(join(folder, "file"), "new");
  assert.equal(readFileSync(join(folder, "file"), "utf8"), "new");
});

test("joins parts in order, empty ones included", () => {
  writeFileFrom(join(folder, "file"), ["one ", new Uint8Array(0), Buffer.from("two"), "", " three"]);
  assert.equal(readFileSync(join(folder, "file"), "utf8"), "one two three");
});

test("the old content stands under its name until the new one is whole", () => {
  const path = join(folder, "file");
  writeFileAtomic(path, "old");
  writeFileFrom(
    path,
    (function* () {
      yield "half";
      assert.equal(readFileSync(path, "utf8"), "old");
      assert.equal(readdirSync(folder).length, 2, "the new one grows beside it");
      yield " whole";
    })(),
  );
  assert.equal(readFileSync(path, "utf8"), "half whole");
});

test("a failure in the middle leaves the old content and no temporary file, and is passed on as it is", () => {
  const path = join(folder, "file");
  writeFileAtomic(path, "old");
  const failure = new Error("the source broke");
  function* broken() {
    yield "half of the new";
    throw failure;
  }
  assert.throws(
    () => writeFileFrom(path, broken()),
    (error) => error === failure,
  );
  assert.equal(readFileSync(path, "utf8"), "old");
  assert.deepEqual(readdirSync(folder), ["file"]);
});

test("a name that cannot be taken leaves no temporary file and names the path", () => {
  const path = join(folder, "taken");
  mkdirSync(join(path, "inside"), { recursive: true });
  assert.throws(() => writeFileAtomic(path, "new"), namesPath(path));
  assert.deepEqual(readdirSync(folder), ["taken"]);
  assert.deepEqual(readdirSync(path), ["inside"]);
});

test("a folder that is a file is an error for a person, not a bug", () => {
  writeFileSync(join(folder, "file"), "old");
  const path = join(folder, "file/below");
  assert.throws(() => writeFileAtomic(path, "new"), namesPath(path));
  assert.equal(readFileSync(join(folder, "file"), "utf8"), "old");
});

function namesPath(path: string): (error: unknown) => boolean {
  return (error) =>
    error instanceof UserError && error.message.startsWith("Expected") && error.message.includes(path);
}

test("JSON is written with an indent and a final newline, and read back", () => {
  const path = join(folder, "value.json");
  writeJson(path, { a: [1, "é"] });
  assert.equal(readFileSync(path, "utf8"), '{\n  "a": [\n    1,\n    "é"\n  ]\n}\n');
  assert.deepEqual(readJson(path), { a: [1, "é"] });
});

test("reading names the file that is missing or does not parse", () => {
  const path = join(folder, "value.json");
  assert.throws(() => readText(path), namesPath(path));
  assert.throws(() => readJson(path), namesPath(path));
  writeFileSync(path, '{"a":');
  assert.throws(() => readJson(path), namesPath(path));
});

test("a place where the system makes no folders is an error for a person, at once", {
  skip: !existsSync("/proc/self") && "no /proc here",
}, () => {
  assert.throws(
    () => writeFileAtomic("/proc/codefudge/inside/file", "new"),
    namesPath("/proc/codefudge/inside/file"),
  );
});

test("what kills left is removed below a folder too, and nothing that was finished", () => {
  const names = [
    "kept",
    ".0123456789ab.tmp",
    "model/kept",
    "model/.abcdef012345.tmp",
    "model/deep/.0123456789ab.tmp",
  ];
  for (const name of names) writeFileAtomic(join(folder, name), "x");
  removeLeftoversBelow(folder);
  const left = readdirSync(folder, { recursive: true }) as string[];
  assert.deepEqual(left.sort(), ["kept", "model", "model/deep", "model/kept"]);
  removeLeftoversBelow(join(folder, "missing"));
});

test("appending makes what is missing and adds at the end", () => {
  const path = join(folder, "a/b/grows");
  for (const part of ["one ", "two"]) appendToFile(path, Buffer.from(part));
  assert.equal(readText(path), "one two");
  assert.throws(() => appendToFile(join(path, "under"), Buffer.from("x")), /a file where a folder is needed/);
});

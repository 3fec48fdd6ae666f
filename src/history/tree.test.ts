import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { makeRepository, withFolder } from "../../test/repository.ts";
import { readTree, type TreeFile } from "./tree.ts";

async function read(folder: string, bytes = 1e9): Promise<TreeFile[]> {
  const files: TreeFile[] = [];
  for await (const file of readTree(folder, { bytes })) files.push(file);
  return files;
}

const steps = [
  { files: { old: "gone\n", "b/ä": "1\n" } },
  {
    files: {
      old: null,
      "a\n": "ü\n",
      "b/ä": "22\n",
      image: Buffer.from([0x89, 0, 1]),
      latin: Buffer.from([0xe9]),
      empty: "",
      link: { mode: "120000", data: "old" },
      run: { mode: "100755", data: "x" },
    },
  },
];

test("texts of the checked-out commit, without links, binaries and what is empty", async () => {
  await withFolder(async (folder) => {
    const path = await makeRepository(join(folder, "r"), steps);
    const expected = [
      { path: "a\n", text: "ü\n" },
      { path: "b/ä", text: "22\n" },
      { path: "run", text: "x" },
    ];
    assert.deepEqual(await read(path), expected);
    // ü and its line break are three bytes; 22 no longer fits, latin and x do.
    assert.deepEqual(await read(path, 5), [expected[0], expected[2]]);
  });
});

test("more files than are asked for at once", async () => {
  await withFolder(async (folder) => {
    const files = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`f${1000 + i}`, `${i}\n`]));
    const path = await makeRepository(join(folder, "r"), [{ files }]);
    assert.deepEqual(
      (await read(path)).map(({ text }) => text),
      Object.values(files),
    );
  });
});

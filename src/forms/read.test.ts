// Folders of 2022 as they were never meant to be: half a pair, links and pipes among the files, texts cut, mixed and
// made up. Whatever lies there, each record is an example that applies or has a named reason.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inFolder } from "../../test/folder.ts";
import { UserError } from "../base/errors.ts";
import { createRandom, type Random } from "../base/random.ts";
import type { Example } from "../dataset/example.ts";
import { patchOf } from "../dataset/format.ts";
import { createDatasetWriter, type Dropped } from "../dataset/store.ts";
import { applyPatch } from "../patch/apply.ts";
import { isSafePath } from "../patch/path.ts";
import { detectForm, readForm } from "./read.ts";
import { writeForm } from "./write.ts";

const GOLDEN = new URL("../../test/golden/forms/", import.meta.url).pathname;
const pairs = JSON.parse(readFileSync(join(GOLDEN, "sound.json"), "utf8")) as Readonly<
  Record<string, string>
>;
const lines = JSON.parse(readFileSync(join(GOLDEN, "lines.json"), "utf8")) as readonly string[];

type Outcome = { readonly examples: readonly Example[]; readonly dropped: readonly Dropped[] };

async function readAll(folder: string): Promise<Outcome> {
  const examples: Example[] = [];
  const dropped: Dropped[] = [];
  for await (const record of readForm(folder)) {
    if (record.type === "example") examples.push(record.example);
    else dropped.push(record.dropped);
  }
  return { examples, dropped };
}

const reasons = ({ dropped }: Outcome) => dropped.map(({ reason }) => reason);

function put(folder: string, files: Readonly<Record<string, string | Buffer>>): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, name), typeof content === "string" ? Buffer.from(content, "latin1") : content);
  }
  return folder;
}

const CHANGE = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n+y\n";
const FILE = "Do\n<pad>a<pad>\n\nx\n";

test("a folder without any form is told apart, and so is one that is not there", async () => {
  await inFolder(async (folder) => {
    put(join(folder, "plain"), { "readme.txt": "hello", "test.json": "[1]", "1-2.file": "x" });
    for (const name of ["plain", "missing"]) {
      assert.equal(detectForm(join(folder, name)), undefined);
      await assert.rejects(
        readAll(join(folder, name)),
        /^UserError: Expected a dataset in one of the forms parquet/,
      );
    }
    assert.equal(detectForm(join(put(folder, { "00000-00000.file": FILE }), "00000-00000.file")), undefined);
  });
});

test("names have the label that the script was given, numbers their order", async () => {
  await inFolder(async (folder) => {
    const names = [
      "repo 00010-00000",
      "repo 00002-00010",
      "repo 00002-00002",
      "a00003-00000",
      "repo 100000-00000",
    ];
    for (const [i, name] of names.entries()) {
      put(folder, { [`${name}.file`]: `Do ${i}\n<pad>a<pad>\n\nx\n`, [`${name}.commit`]: CHANGE });
    }
    const { examples } = await readAll(folder);
    assert.deepEqual(
      examples.map(({ message }) => message),
      ["Do 3", "Do 2", "Do 1", "Do 0", "Do 4"],
    );
    assert.deepEqual(
      examples.map(({ time }) => time),
      [0, 1, 1, 2, 3],
    );
    assert.deepEqual(await readAll(folder), await readAll(folder), "stand-ins stay the same");
    assert.match(examples[0]!.commit, /^[0-9a-f]{40}$/);
  });
});

test("files that are none, halves, and sizes beyond reason have names of their own", {
  timeout: 20_000,
}, async () => {
  await inFolder(async (folder) => {
    put(folder, {
      "00000-00000.file": FILE,
      "00001-00000.commit": CHANGE,
      "00002-00000.commit": CHANGE,
      "00003-00000.file": FILE,
      "00003-00000.commit": Buffer.alloc(17 << 20, "a"),
      "00004-00000.file": FILE,
      "00005-00000.file": "no delimiter",
      "00005-00000.commit": CHANGE,
      "00006-00000.file": "Do\n<pad>../a<pad>\n\nx\n",
      "00006-00000.commit": CHANGE.replaceAll("/a", "/../a"),
      "00007-00000.file": FILE,
      "00007-00000.commit": CHANGE + CHANGE.replaceAll("/a", "/b"),
      "00008-00000.file": FILE,
      "00008-00000.commit": "Author: someone\n",
    });
    symlinkSync("/etc/hostname", join(folder, "00002-00000.file"));
    execFileSync("mkfifo", [join(folder, "00004-00000.commit")]);
    assert.deepEqual(reasons(await readAll(folder)), [
      ...["half-a-pair", "half-a-pair", "not-a-file", "over-size", "not-a-file"],
      ...["no-delimiter", "unsafe-path", "several-files", "no-diff"],
    ]);
  });
});

test("lines that are no records are counted, the others read", async () => {
  await inFolder(async (folder) => {
    const more = [
      '{"input": 1, "label": "x"}',
      "{",
      '{"input": "no delimiter", "label": "x<pad></s>"}',
      "null",
      "",
    ];
    put(folder, { "test.json": `${[lines[0], ...more, lines[1]].join("\n")}\n` });
    const outcome = await readAll(folder);
    assert.equal(outcome.examples.length, 2);
    assert.deepEqual(reasons(outcome), ["no-record", "no-record", "no-delimiter", "no-record", "no-record"]);
    assert.equal(outcome.dropped[0]!.path, "test.json:2");
  });
});

/** A text cut, doubled, mixed with another, or with bytes changed. */
function spoil(random: Random, text: string, other: string): string {
  const at = random.below(text.length + 1);
  const to = random.below(other.length + 1);
  switch (random.below(7)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(0, at) + other.slice(to);
    case 2:
      return text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(at + 1);
    case 3:
      return text.slice(0, at) + text.slice(Math.max(0, at - 20));
    case 4:
      return text.replaceAll("<pad>", random.below(2) === 0 ? "<pad><pad>" : "");
    case 5:
      return text.split("\n").toSpliced(random.below(9), 1).join("\n");
    default:
      return (
        text.slice(0, at) +
        ["\0", "\n", "<pad>", "@@ -1 +1 @@\n", "\\ No newline at end of file\n"][random.below(5)] +
        text.slice(at)
      );
  }
}

/** What reading promises of every example, whatever it was read from. */
function requireSound(example: Example): void {
  const patch = patchOf(example);
  assert.ok(patch.ok, example.diff);
  assert.ok(applyPatch(patch.value, example.old).ok, example.diff);
  assert.ok(isSafePath(example.path), example.path);
}

test("spoilt pairs never crash the reader, and what it takes applies", async () => {
  await inFolder(async (folder) => {
    const random = createRandom(31);
    const names = Object.keys(pairs).sort();
    let taken = 0;
    let refused = 0;
    for (let round = 0; round < 40; round++) {
      const spoilt = names.map((name) => {
        const text = pairs[name]!;
        const other = pairs[names[random.below(names.length)]!]!;
        return [name, random.below(2) === 0 ? text : spoil(random, text, other)] as const;
      });
      const { examples, dropped } = await readAll(
        put(join(folder, String(round)), Object.fromEntries(spoilt)),
      );
      assert.equal(examples.length + dropped.length, names.length / 2);
      examples.forEach(requireSound);
      taken += examples.length;
      refused += dropped.length;
    }
    assert.ok(taken > 200 && refused > 200, `${taken} taken, ${refused} refused`);
  });
});

test("spoilt lines never crash the reader, and what it takes applies", async () => {
  await inFolder(async (folder) => {
    const random = createRandom(32);
    let taken = 0;
    let refused = 0;
    for (let round = 0; round < 40; round++) {
      const spoilt = lines.map((line) => {
        if (random.below(2) === 0) return line;
        const other = lines[random.below(lines.length)]!;
        if (random.below(3) === 0) return spoil(random, line, other).replaceAll("\n", " ");
        const { input, label } = JSON.parse(line) as { input: string; label: string };
        const [theirs] = [JSON.parse(other) as { input: string; label: string }];
        return JSON.stringify({
          input: spoil(random, input, theirs.input),
          label: spoil(random, label, theirs.label),
        });
      });
      const outcome = await readAll(
        put(join(folder, String(round)), { "test.json": `${lines[0]}\n${spoilt.join("\n")}\n` }),
      );
      assert.equal(outcome.examples.length + outcome.dropped.length, lines.length + 1);
      outcome.examples.forEach(requireSound);
      taken += outcome.examples.length;
      refused += outcome.dropped.length;
    }
    assert.ok(taken > 200 && refused > 100, `${taken} taken, ${refused} refused`);
  });
});

test("a Parquet file that is none, or another's, is refused in words", async () => {
  await inFolder(async (folder) => {
    for (const [name, bytes] of Object.entries({
      empty: "",
      short: "PAR1",
      noise: "PAR1".padEnd(400, "x"),
    })) {
      put(join(folder, name), { "train.parquet": bytes });
      await assert.rejects(
        readAll(join(folder, name)),
        /^UserError: Expected a Parquet file in .*train\.parquet/,
        name,
      );
    }
  });
});

test("a spoilt Parquet file is refused in words or read as far as its types go, and leaves nothing unhandled", async () => {
  await inFolder(async (folder) => {
    const writer = createDatasetWriter(join(folder, "data"));
    const known = { time: 1, author: "Ada", weight: 1 };
    const examples = JSON.parse(readFileSync(join(GOLDEN, "examples.json"), "utf8")) as Example[];
    for (const example of examples) writer.write("train", { ...example, ...known });
    writer.finish({ counters: {}, options: {}, created: {} });
    const paths = { dataset: join(folder, "data"), folder: join(folder, "out") };
    for await (const _ of writeForm(paths, { form: "parquet", format: "region" }));
    const whole = readFileSync(join(folder, "out/train.parquet"));
    const random = createRandom(33);
    let refused = 0;
    for (let round = 0; round < 120; round++) {
      const bytes = Buffer.from(whole);
      // Most of what can go wrong stands in the metadata, at the end.
      for (let n = random.below(3); n >= 0; n--)
        bytes[whole.length - 1 - random.below(2500)] = random.below(256);
      put(join(folder, "spoilt"), { "train.parquet": bytes });
      try {
        for (const { message, old } of (await readAll(join(folder, "spoilt"))).examples) {
          assert.equal(typeof message, "string");
          assert.ok(old === null || typeof old === "string");
        }
      } catch (error) {
        assert.ok(error instanceof UserError, String(error));
        refused++;
      }
    }
    assert.ok(refused > 50, String(refused));
  });
});

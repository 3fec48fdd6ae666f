// The pages' examples, run: what docs/api.md calls a program is one, and the prompts, answers and files shown in
// docs/formats.md and docs/tour.md are those of the code.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { formats } from "../src/dataset/format.ts";
import { parsePair } from "../src/dataset/pair.ts";
import * as surface from "../src/index.ts";
import { createWorkshop } from "./tiny.ts";

const INDEX = new URL("../src/index.ts", import.meta.url);

function readPage(name: string): string {
  return readFileSync(new URL(`../docs/${name}.md`, import.meta.url), "utf8");
}

/** Fenced blocks of a page in a language, an indent taken off. */
function blocksOf(page: string, language: string): string[] {
  const fences = page.matchAll(new RegExp(`^( *)\`\`\`${language}\n([\\s\\S]*?)^\\1\`\`\`$`, "gm"));
  return [...fences].map(([, indent, text]) => text!.replace(new RegExp(`^${indent}`, "gm"), ""));
}

const CONFIG = "server:\n  port: 8000\n  workers: 3\nlog: plain\n";

/** A request to change one file, shown whole. */
function asking(old: string): surface.Request {
  const message = "Set the port to 9000, add a timeout";
  return { message, files: [{ path: "config.yaml", old, role: "change", shown: "all" }] };
}

/** The request of several files that docs/formats.md shows. */
const SEVERAL: surface.Request = {
  message: "Set the port to 9000, with a configuration for tests",
  files: [
    {
      path: "docs/ports.md",
      old: `${"\n".repeat(13)}The server listens on 8000.\n\n`,
      role: "context",
      shown: [{ start: 13, end: 14 }],
    },
    { path: "config.yaml", old: CONFIG, role: "change", shown: [{ start: 0, end: 2 }] },
    { path: "config.test.yaml", old: null, role: "change", shown: "all" },
  ],
};
const CHANGED = "server:\n  port: 9000\n  workers: 3\n  timeout: 5\nlog: plain\n";

function newText(answer: string, request: surface.Request): string | null {
  const changes = formats.region.read(answer, request);
  assert.ok(changes.ok, changes.ok ? "" : changes.reason);
  return changes.value[0]!.new;
}

test("docs/api.md lists exactly what the package exports", () => {
  const generated = readPage("api").split("<!-- From here on written by")[1]!;
  const declared = [...generated.matchAll(/^### `(\w+)`\n\n```ts\n(?!type )/gm)].map(([, name]) => name!);
  assert.deepEqual(Object.keys(surface).sort(), declared.sort());
});

test("the prompt and the answers of docs/formats.md are the region format's", () => {
  const blocks = blocksOf(readPage("formats"), "text");
  for (const request of [asking(CONFIG), SEVERAL]) assert.ok(blocks.includes(formats.region.prompt(request)));
  const answers = blocks.filter((block) => /^@\d/.test(block));
  assert.equal(answers.length, 2);
  assert.equal(newText(answers[0]!, asking(CONFIG)), CHANGED);
  assert.equal(newText(answers[1]!, asking("a\n")), "a\n@here\n\\x\nlast");
});

test("the .file of docs/formats.md is read as it says", () => {
  const block = blocksOf(readPage("formats"), "text").find((text) => text.includes("<pad>"))!;
  assert.deepEqual(parsePair(block), {
    ok: true,
    value: { message: "Set the port to 9000\n", path: "config.yaml", old: "server:\n  port: 8000\n" },
  });
});

test("the commit of docs/tour.md is prompt and answer of one example", () => {
  const [block] = blocksOf(readPage("tour"), "text") as [string];
  const prompt = formats.region.prompt(asking(CONFIG));
  assert.ok(block.startsWith(prompt), block);
  assert.equal(newText(block.slice(prompt.length), asking(CONFIG)), CHANGED);
});

test("the program of docs/api.md runs from a repository to an adapter and an answer", async () => {
  const [code] = blocksOf(readPage("api"), "ts") as [string];
  const shop = await createWorkshop(30);
  try {
    const file = join(shop.folder, "program.mts");
    writeFileSync(file, code.replace('"codefudge"', JSON.stringify(INDEX.href)));
    const loader = import.meta.resolve("tsx");
    const run = join(shop.folder, "run");
    const args = ["--import", loader, pathToFileURL(file).pathname, shop.repository, shop.model, run];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assert.match(stderr, /^step 2: loss \d+\.\d{3}$/m);
    assert.match(stdout, /^(no change: |diff --git )/);
    assert.ok(existsSync(join(run, "adapter_model.safetensors")));
  } finally {
    shop.dispose();
  }
});

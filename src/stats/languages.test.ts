// Names whose language anyone would say, those that several languages share, and those that none has.

import assert from "node:assert/strict";
import { test } from "node:test";
import { loadLanguages, OTHER } from "./languages.ts";

const WANTED: Readonly<Record<string, string>> = {
  "src/a.ts": "TypeScript",
  "src/a.d.ts": "TypeScript",
  "a.tsx": "TypeScript",
  "a.JS": "JavaScript",
  "lib/a.h": "C",
  "a.m": "Objective-C",
  "a.md": "Markdown",
  "a.rs": "Rust",
  "a.sql": "SQL",
  "a.html": "HTML",
  "a.yml": "YAML",
  "package.json": "JSON",
  "deep/Makefile": "Makefile",
  Dockerfile: "Dockerfile",
  ".gitignore": "Ignore List",
  "a.py": "Python",
  "a.cpp": "C++",
  "a.vue": "Vue",
  "a.1": "Roff",
  LICENSE: "Text",
  "no-extension": OTHER,
  "dir.ts/name": OTHER,
  "a.": OTHER,
  "": OTHER,
  constructor: OTHER,
  "a.__proto__": OTHER,
};

test("the language of a file by its name", async () => {
  const languageOf = await loadLanguages();
  const found = Object.fromEntries(Object.keys(WANTED).map((path) => [path, languageOf(path)]));
  assert.deepEqual(found, WANTED);
});

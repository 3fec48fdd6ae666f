// The setup of a clone, with a stand-in for npm that only writes down that it was called.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { ensureBuilt, ensureInstalled, ROOT } from "./setup.mjs";

const OPTIONS = { module: "nodenext", target: "es2022", types: [], strict: true, skipLibCheck: true };
const silent = () => {};
let root = "";
const npm = process.env.npm_execpath;

beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), "codefudge-setup-"));
  write("package.json", '{ "type": "module" }');
  write("package-lock.json", "{}");
  write(".npmrc", "");
  write("tsconfig.json", JSON.stringify({ compilerOptions: OPTIONS }));
  const build = { noEmitOnError: true, rootDir: "src" };
  write(
    "tsconfig.build.json",
    JSON.stringify({
      extends: "./tsconfig.json",
      compilerOptions: build,
      include: ["src"],
      exclude: ["**/*.test.ts"],
    }),
  );
  write("src/cli/main.ts", "#!/usr/bin/env node\nexport const a: number = 1;\n");
  write("src/cli/main.test.ts", "export const b: string = 1;\n");
  write(
    "npm.cjs",
    `const fs = require("node:fs");
fs.rmSync("node_modules", { recursive: true, force: true });
fs.mkdirSync("node_modules");
fs.appendFileSync("calls", process.argv.slice(2).join(" ") + "\\n");
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
process.exit(fs.existsSync("broken") ? 1 : 0);`,
  );
  process.env.npm_execpath = join(root, "npm.cjs");
});

afterEach(() => {
  if (npm === undefined) delete process.env.npm_execpath;
  else process.env.npm_execpath = npm;
  fs.rmSync(root, { recursive: true, force: true });
});

function write(path, text) {
  fs.mkdirSync(join(root, path, ".."), { recursive: true });
  fs.writeFileSync(join(root, path), text);
}

const calls = () =>
  fs.existsSync(join(root, "calls"))
    ? fs.readFileSync(join(root, "calls"), "utf8").split("\n").length - 1
    : 0;

/** Our compiler, in place of one that the stand-in did not install. */
function linkCompiler() {
  fs.mkdirSync(join(root, "node_modules"));
  fs.symlinkSync(join(ROOT, "node_modules/typescript"), join(root, "node_modules/typescript"), "junction");
}

test("installs once, and again when the lock file changes or the folder is gone", async () => {
  await ensureInstalled(root, silent);
  await ensureInstalled(root, silent);
  assert.equal(calls(), 1);
  write("package-lock.json", '{ "changed": true }');
  await ensureInstalled(root, silent);
  assert.equal(calls(), 2);
  fs.rmSync(join(root, "node_modules"), { recursive: true });
  await ensureInstalled(root, silent);
  assert.equal(calls(), 3);
});

test("an installation that failed is tried again", async () => {
  write("broken", "");
  await assert.rejects(ensureInstalled(root, silent), /npm ci failed/);
  fs.rmSync(join(root, "broken"));
  await ensureInstalled(root, silent);
  assert.equal(calls(), 2);
});

test("two at once install once, and a lock left by a dead process is taken over", async () => {
  write(".stamp/setup.lock", "999999999");
  const script = `import { ensureInstalled } from ${JSON.stringify(new URL("setup.mjs", import.meta.url).href)};
    await ensureInstalled(${JSON.stringify(root)});`;
  const run = () =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "ignore" });
      child.on("exit", resolve);
    });
  assert.deepEqual(await Promise.all([run(), run(), run()]), [0, 0, 0]);
  assert.equal(calls(), 1);
  assert.equal(fs.existsSync(join(root, ".stamp/setup.lock")), false);
});

test("builds without tests, executable, and again only when a source changes", async () => {
  linkCompiler();
  await ensureBuilt(root, silent);
  const main = join(root, "dist/cli/main.js");
  assert.ok(fs.statSync(main).mode & 0o100);
  assert.equal(fs.existsSync(join(root, "dist/cli/main.test.js")), false);
  const built = fs.statSync(main).mtimeMs;
  write("src/cli/main.test.ts", "export const b = 2;\n");
  await ensureBuilt(root, silent);
  assert.equal(fs.statSync(main).mtimeMs, built);
  write("src/cli/main.ts", "export const a: number = 2;\n");
  await ensureBuilt(root, silent);
  assert.match(fs.readFileSync(main, "utf8"), /a = 2/);
});

test("a build that fails names the error and leaves the last build in place", async () => {
  linkCompiler();
  await ensureBuilt(root, silent);
  write("src/cli/main.ts", 'export const a: number = "x";\n');
  await assert.rejects(ensureBuilt(root, silent), /main\.ts\(1,14\): error TS2322[\s\S]*build: failed/);
  assert.match(fs.readFileSync(join(root, "dist/cli/main.js"), "utf8"), /a = 1/);
  await assert.rejects(ensureBuilt(root, silent), /build: failed/);
});

// Makes a clone ready: dependencies installed, `dist/` built; does nothing when nothing changed.
// Plain JavaScript without dependencies, because on a fresh clone nothing is installed. It prints to stderr only,
// so that what a verb prints to stdout stays clean.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { dirname, join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Installs the locked dependencies unless `node_modules` was installed from this lock file by this Node. */
export async function ensureInstalled(root = ROOT, say = print) {
  const stamp = join(root, "node_modules", ".codefudge-stamp");
  const wanted = `${hashFiles(root, ["package-lock.json", ".npmrc"])} node${process.versions.node.split(".")[0]}`;
  await withLock({ root, say }, () => {
    if (readOrEmpty(stamp) === wanted) return say("dependencies: up to date");
    say("dependencies: installing with npm ci");
    const started = Date.now();
    runNpm(root, ["ci", "--no-fund", "--no-audit", "--loglevel=error"]);
    fs.writeFileSync(stamp, wanted);
    say(`dependencies: installed in ${seconds(started)}`);
  });
}

/** Builds `dist/` unless it was built from these sources. Built beside and swapped, so that nobody sees half of it. */
export async function ensureBuilt(root = ROOT, say = print) {
  const stamp = join(root, "dist", ".stamp");
  const wanted = hashFiles(root, buildInputs(root));
  await withLock({ root, say }, () => {
    if (readOrEmpty(stamp) === wanted) return say("build: up to date");
    say("build: compiling src to dist");
    const started = Date.now();
    build(root);
    fs.writeFileSync(join(root, "dist.next", ".stamp"), wanted);
    fs.rmSync(join(root, "dist"), { recursive: true, force: true });
    fs.renameSync(join(root, "dist.next"), join(root, "dist"));
    say(`build: done in ${seconds(started)}`);
  });
}

/** Runs Node on this terminal and returns its exit code. Ctrl-C reaches the child by itself, which decides what to do. */
export function runNode(args, root = ROOT) {
  const child = spawn(process.execPath, args, { cwd: root, stdio: "inherit" });
  const ignore = () => {};
  const terminate = () => child.kill("SIGTERM");
  process.on("SIGINT", ignore);
  process.on("SIGTERM", terminate);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      process.off("SIGINT", ignore);
      process.off("SIGTERM", terminate);
      resolve(code ?? (signal === "SIGINT" ? 130 : 1));
    });
  });
}

/** Runs a verb; a failure already explained ends quietly with exit 1. */
export async function runVerb(verb) {
  try {
    process.exitCode = await verb();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

/** Every file below a folder, sorted, as paths relative to `root` with `/`. */
export function listFiles(root, folder) {
  const path = join(root, folder);
  if (!fs.existsSync(path)) return [];
  return fs
    .readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)).replaceAll("\\", "/"))
    .sort();
}

export class SetupError extends Error {}

function build(root) {
  fs.rmSync(join(root, "dist.next"), { recursive: true, force: true });
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const args = [tsc, "-p", "tsconfig.build.json", "--outDir", "dist.next"];
  const result = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  if (result.status !== 0) throw new SetupError(`${result.stdout}${result.stderr}build: failed, see above`);
  const entry = join(root, "dist.next", "cli", "main.js");
  if (fs.existsSync(entry)) fs.chmodSync(entry, 0o755);
}

function buildInputs(root) {
  const sources = listFiles(root, "src").filter((path) => !path.endsWith(".test.ts"));
  return [...sources, "package-lock.json", "tsconfig.json", "tsconfig.build.json"];
}

function runNpm(root, args) {
  const cli = process.env.npm_execpath;
  const [command, first] = /\.c?js$/.test(cli ?? "") ? [process.execPath, [cli]] : ["npm", []];
  const result = spawnSync(command, [...first, ...args], {
    cwd: root,
    encoding: "utf8",
    shell: command === "npm" && process.platform === "win32",
  });
  if (result.status === 0) return;
  const output = `${result.stdout ?? ""}${result.stderr ?? ""}${result.error?.message ?? ""}`;
  throw new SetupError(`${output}dependencies: npm ${args[0]} failed, see above`);
}

/** One setup at a time in one clone. The lock holds the owner's process id; a dead owner's lock is taken over. */
async function withLock({ root, say }, work) {
  const lock = join(root, ".stamp", "setup.lock");
  fs.mkdirSync(dirname(lock), { recursive: true });
  for (let waited = 0; !tryLock(lock); waited++) {
    if (waited === 0) say(`setup: waiting for process ${readOrEmpty(lock)}, which is doing the same`);
    await sleep(200);
  }
  try {
    return work();
  } finally {
    fs.rmSync(lock, { force: true });
  }
}

// A hard link appears with its content already there, so that a lock is never seen empty.
function tryLock(lock) {
  const own = `${lock}.${process.pid}`;
  fs.writeFileSync(own, String(process.pid));
  try {
    fs.linkSync(own, lock);
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    const owner = readOrEmpty(lock);
    if (owner !== "" && !isAlive(Number(owner))) discardLock(lock, owner);
    return false;
  } finally {
    fs.rmSync(own, { force: true });
  }
}

// Another process may have taken the dead owner's lock over in the meantime: then what was moved away is put back.
function discardLock(lock, owner) {
  const moved = `${lock}.dead.${process.pid}`;
  try {
    fs.renameSync(lock, moved);
    if (readOrEmpty(moved) !== owner) fs.linkSync(moved, lock);
  } catch (error) {
    if (error.code !== "ENOENT" && error.code !== "EEXIST") throw error;
  }
  fs.rmSync(moved, { force: true });
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function hashFiles(root, paths) {
  const hash = createHash("sha256");
  for (const path of paths)
    hash
      .update(`${path}\0`)
      .update(fs.readFileSync(join(root, path)))
      .update("\0");
  return hash.digest("hex");
}

function readOrEmpty(path) {
  try {
    return fs.readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

const seconds = (started) => `${((Date.now() - started) / 1000).toFixed(1)} s`;

function print(text) {
  console.error(text);
}

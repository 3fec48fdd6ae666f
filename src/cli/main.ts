#!/usr/bin/env node
// The program: gives the process's streams, signals and environment to `runCli`, and its exit code to the shell.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readJson } from "../base/files.ts";
import { runCli } from "./run.ts";

const interrupted = new AbortController();

// The first signal asks: work saves itself and ends. The second does not ask.
let asked = false;
function interrupt(): void {
  if (asked) process.exit(130);
  asked = true;
  process.stderr.write("\nStopping; press Ctrl-C again to stop at once\n");
  interrupted.abort();
}
process.on("SIGINT", interrupt);
process.on("SIGTERM", interrupt);

// A reader that has seen enough (`| head`) is no error: work saves itself and ends, quietly. A full disk is one.
let unread = false;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") {
    unread = true;
    interrupted.abort();
    return;
  }
  process.stderr.write(`Expected to write to stdout, found ${error.message}; give it another place\n`);
  process.exit(1);
});
// Progress that nobody reads is not worth stopping for.
process.stderr.on("error", () => {});

const code = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: {
    isTTY: process.stderr.isTTY === true,
    get columns() {
      return process.stderr.columns ?? 80;
    },
    write: (text) => unread || process.stderr.write(text),
  },
  stdin: process.stdin,
  env: process.env,
  cwd: process.cwd(),
  signal: interrupted.signal,
  version: readVersion(),
});

process.exitCode = unread && code === 130 ? 0 : code;

function readVersion(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return (readJson(join(folder, "package.json")) as { version: string }).version;
}

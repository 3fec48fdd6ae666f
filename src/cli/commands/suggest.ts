// codefudge suggest: a message and paths in, a git diff out that was applied in memory first.

import { statSync } from "node:fs";
import { relative, resolve, sep } from "node:path";
import { UsageError, UserError } from "../../base/errors.ts";
import type { Request } from "../../dataset/request.ts";
import { suggest } from "../../generation/suggest.ts";
import { isSafePath } from "../../patch/path.ts";
import { defineCommand } from "../command.ts";
import { readSource } from "../source.ts";
import { findRunFolder, repositoryRoot } from "../steps/options.ts";
import { NO_CHANGE, NO_CHANGE_CODES, openWriter, writerOptions } from "../steps/writer.ts";

export const command = defineCommand({
  name: "suggest",
  summary: "Writes the change that a message asks for, as a git diff that applies",
  args: [{ name: "path", help: "File to change, or to create", required: true, variadic: true }],
  options: {
    message: {
      type: "string",
      default: null,
      short: "m",
      help: "Commit message of the change; it must be given",
      value: "MESSAGE",
    },
    ...writerOptions,
  },
  examples: [
    ['suggest -m "Bump version to 1.2.0" package.json', "One file; the diff goes to stdout"],
    ['suggest -m "Add option --quiet" lib/cli.js | git apply', "And into the working tree"],
  ],
  codes: NO_CHANGE_CODES,
  async run({ args, options, out, progress, signal, cwd }) {
    const { message } = options;
    if (message === null || message.trim() === "") {
      throw new UsageError('Expected a message, found none; give -m "MESSAGE"');
    }
    const root = repositoryRoot(cwd);
    const requests = args.path.map((path) => readRequest({ path: resolve(cwd, path), root, message }));
    const { writer, dispose } = openWriter({ ...options, folder: findRunFolder(options.run, cwd) }, signal);
    try {
      let written = 0;
      for (const [done, request] of requests.entries()) {
        if (requests.length > 1) {
          progress.update({ label: "write", done, total: requests.length, note: request.path });
        }
        if (request.old === null) progress.warn(`There is no ${request.path} yet: asking for a new file`);
        const { answer, change } = await suggest(writer, request);
        const figures = { path: request.path, tokens: answer.tokens, seconds: answer.seconds };
        if (change.ok) written++;
        if (options.json)
          out.json(
            change.ok ? { ...figures, diff: change.value.diff } : { ...figures, reason: change.reason },
          );
        else if (change.ok) out.text(change.value.diff);
        if (!change.ok) progress.warn(`No change for ${request.path}: ${change.reason}`);
      }
      return written === requests.length ? 0 : NO_CHANGE;
    } finally {
      await dispose();
    }
  },
});

function readRequest({ path, root, message }: { path: string; root: string; message: string }): Request {
  const inside = relative(root, path).split(sep).join("/");
  if (inside === "" || !isSafePath(inside)) {
    throw new UserError(
      `Expected a file inside ${root}, found ${path}; run codefudge suggest in the file's repository`,
    );
  }
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return { message, path: inside, old: null };
  if (!found.isFile())
    throw new UserError(`Expected a file at ${path}, found something else; name files, one by one`);
  return { message, path: inside, old: readSource(path, found.size) };
}

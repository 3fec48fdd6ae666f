// codefudge forward: the filter of 2022. A `.file` (message, <pad>path<pad>, content) on stdin, a `.commit` on stdout.

import { UserError } from "../../base/errors.ts";
import { type Pair, parsePair } from "../../dataset/pair.ts";
import { packAsk } from "../../generation/ask.ts";
import { suggest } from "../../generation/suggest.ts";
import { isSafePath } from "../../patch/path.ts";
import { defineCommand } from "../command.ts";
import { decodeSource, requireSize } from "../source.ts";
import { describeWindows } from "../steps/asking.ts";
import { findRunFolder } from "../steps/options.ts";
import { NO_CHANGE, NO_CHANGE_CODES, openWriter, writerOptions } from "../steps/writer.ts";
import { requireOwnWorkspace } from "../workspace.ts";

export const command = defineCommand({
  name: "forward",
  summary: "Reads a .file of 2022 on stdin (message, <pad>path<pad>, content), writes its .commit to stdout",
  args: [],
  options: writerOptions,
  examples: [["forward < 00012-00000.file > 00012-00000.commit", "As a filter, with the newest run"]],
  notes: [
    {
      title: "Form of a .file",
      lines: [
        "The commit message, <pad>, the file's path, <pad>, an empty line, the file's content:",
        "",
        "  Set the port to 9000",
        "  <pad>config.yaml<pad>",
        "",
        "  server:",
        "    port: 8000",
        "",
        "Nothing behind the empty line stands for a file that is to be created.",
      ],
    },
  ],
  codes: NO_CHANGE_CODES,
  async run({ options, out, progress, input, signal, cwd }) {
    await requireOwnWorkspace(cwd, signal);
    const { message, path, old } = await readPair(input);
    const { writer, limits, dispose } = openWriter(
      { ...options, folder: findRunFolder(options.run, cwd) },
      signal,
    );
    try {
      const [request] = await packAsk(
        writer,
        { message, change: [{ path, old, focus: [] }], context: [] },
        limits,
      );
      for (const line of describeWindows(request!)) progress.line(line);
      const { change } = await suggest(writer, request!);
      if (!change.ok) progress.warn(`No change for ${path}: ${change.reason}`);
      if (options.json)
        out.json(change.ok ? { path, diff: change.value.diff } : { path, reason: change.reason });
      else if (change.ok) out.text(change.value.diff);
      return change.ok ? 0 : NO_CHANGE;
    } finally {
      await dispose();
    }
  },
});

async function readPair(input: AsyncIterable<Uint8Array>): Promise<Pair> {
  const pair = parsePair(await readAll(input));
  if (!pair.ok) {
    throw new UserError(
      `Expected a .file on stdin (message, <pad>path<pad>, content), found ${pair.reason}; codefudge forward --help shows the form`,
    );
  }
  if (isSafePath(pair.value.path)) return pair.value;
  throw new UserError(
    `Expected a path inside a repository between <pad> and <pad>, found ${pair.value.path}; write it relative to the repository`,
  );
}

async function readAll(input: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const part of input) {
      size += part.length;
      requireSize(size, "stdin");
      parts.push(part);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new UserError(`Expected a .file on stdin, found ${(error as Error).message}; give one with < FILE`);
  }
  return decodeSource(Buffer.concat(parts), "stdin");
}

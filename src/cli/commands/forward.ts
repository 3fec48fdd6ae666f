// codefudge forward: the filter of 2022. A `.file` (message, <pad>path<pad>, content) on stdin, a `.commit` on stdout.

import { UserError } from "../../base/errors.ts";
import { parsePair } from "../../dataset/pair.ts";
import { suggest } from "../../generation/suggest.ts";
import { isSafePath } from "../../patch/path.ts";
import { defineCommand } from "../command.ts";
import { decodeSource, requireSize } from "../source.ts";
import { findRunFolder } from "../steps/options.ts";
import { NO_CHANGE, NO_CHANGE_CODES, openWriter, writerOptions } from "../steps/writer.ts";

export const command = defineCommand({
  name: "forward",
  summary: "Reads a .file of 2022 on stdin (message, <pad>path<pad>, content), writes its .commit to stdout",
  args: [],
  options: writerOptions,
  examples: [["forward < 00012-00000.file > 00012-00000.commit", "As a filter, with the newest run"]],
  codes: NO_CHANGE_CODES,
  async run({ options, out, progress, input, signal, cwd }) {
    const request = parsePair(await readAll(input));
    if (!request.ok) {
      throw new UserError(
        `Expected a .file on stdin (message, <pad>path<pad>, content), found ${request.reason}; codefudge forward --help shows the form`,
      );
    }
    if (!isSafePath(request.value.path)) {
      throw new UserError(
        `Expected a path inside a repository between <pad> and <pad>, found ${request.value.path}; write it relative to the repository`,
      );
    }
    const { writer, dispose } = openWriter({ ...options, folder: findRunFolder(options.run, cwd) }, signal);
    try {
      const { change } = await suggest(writer, request.value);
      if (!change.ok) {
        progress.warn(`No change for ${request.value.path}: ${change.reason}`);
        return NO_CHANGE;
      }
      if (options.json) out.json({ path: request.value.path, diff: change.value.diff });
      else out.text(change.value.diff);
      return 0;
    } finally {
      await dispose();
    }
  },
});

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

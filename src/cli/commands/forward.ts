// codefudge forward: the filter of 2022. A `.file` (message, <pad>path<pad>, content) on stdin, a `.commit` on stdout.

import { isUtf8 } from "node:buffer";
import { UserError } from "../../base/errors.ts";
import { parsePair } from "../../dataset/pair.ts";
import { suggest } from "../../generation/suggest.ts";
import { defineCommand } from "../command.ts";
import { findRunFolder } from "../steps/options.ts";
import { NO_CHANGE, openWriter, writerOptions } from "../steps/writer.ts";

export const command = defineCommand({
  name: "forward",
  summary: "Reads a .file of 2022 on stdin (message, <pad>path<pad>, content), writes its .commit to stdout",
  args: [],
  options: writerOptions,
  examples: [["forward < 00012-00000.file > 00012-00000.commit", "As a filter, with the newest run"]],
  async run({ options, out, progress, input, signal, cwd }) {
    const request = parsePair(await readAll(input));
    if (!request.ok) {
      throw new UserError(
        `Expected a .file on stdin (message, <pad>path<pad>, content), found ${request.reason}`,
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
  for await (const part of input) parts.push(part);
  const bytes = Buffer.concat(parts);
  if (!isUtf8(bytes)) throw new UserError("Expected UTF-8 text on stdin, found other bytes");
  return bytes.toString("utf8");
}

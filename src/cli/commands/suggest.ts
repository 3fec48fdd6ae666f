// codefudge suggest: a message and paths in, a git diff out that was applied in memory first.

import { UsageError } from "../../base/errors.ts";
import { filesToChange, type Request } from "../../dataset/request.ts";
import { type Asked, packAsk, suggestAll } from "../../generation/ask.ts";
import { defineCommand } from "../command.ts";
import { describeWindows, readAsk } from "../steps/asking.ts";
import type { Face } from "../steps/face.ts";
import { findRunFolder } from "../steps/options.ts";
import { NO_CHANGE, NO_CHANGE_CODES, openWriter, writerOptions } from "../steps/writer.ts";
import { repositoryRoot, requireOwnWorkspace } from "../workspace.ts";

export const command = defineCommand({
  name: "suggest",
  summary: "Writes the change that a message asks for, as a git diff that applies",
  args: [
    {
      name: "path",
      help: "File to change, or to create; :LINE or :FIRST-LAST behind it points at a place in a long one",
      required: true,
      variadic: true,
    },
  ],
  options: {
    message: {
      type: "string",
      default: null,
      short: "m",
      help: "Commit message of the change; it must be given",
      value: "MESSAGE",
    },
    context: {
      type: "strings",
      default: [],
      help: "Files to read beside those to change",
      value: "PATH",
    },
    ...writerOptions,
  },
  examples: [
    ['suggest -m "Bump version to 1.2.0" package.json', "One file; the diff goes to stdout"],
    ['suggest -m "Add option --quiet" lib/cli.js README.md | git apply', "Two, into the working tree"],
    ['suggest -m "Answer HEAD too" lib/response.js:120-140 --context lib/request.js', "Pointed at a place"],
  ],
  codes: NO_CHANGE_CODES,
  async run({ args, options, out, progress, signal, cwd }) {
    const { message, context } = options;
    if (message === null || message.trim() === "") {
      throw new UsageError('Expected a message, found none; give -m "MESSAGE"');
    }
    await requireOwnWorkspace(cwd, signal);
    const ask = readAsk({ message, paths: args.path, context, root: repositoryRoot(cwd), cwd });
    const { writer, limits, dispose } = openWriter(
      { ...options, folder: findRunFolder(options.run, cwd) },
      signal,
    );
    try {
      const requests = await packAsk(writer, ask, limits);
      for (const request of requests) announce(request, { out, progress });
      let done = 0;
      let written = 0;
      const show = () => progress.update({ label: "write", done, total: requests.length });
      if (requests.length > 1) show();
      for await (const asked of suggestAll(writer, requests)) {
        if (print(asked, { out, progress, json: options.json })) written++;
        done++;
        if (requests.length > 1) show();
      }
      return written === requests.length ? 0 : NO_CHANGE;
    } finally {
      await dispose();
    }
  },
});

function announce(request: Request, { progress }: Pick<Face, "out" | "progress">): void {
  for (const { path, old } of filesToChange(request)) {
    if (old === null) progress.warn(`There is no ${path} yet: asking for a new file`);
  }
  for (const line of describeWindows(request)) progress.line(line);
}

/** Prints what came of a request; says whether it is a change. */
function print({ request, suggestion }: Asked, { out, progress, json }: Omit<Face, "signal">): boolean {
  const { answer, change } = suggestion;
  const paths = filesToChange(request).map(({ path }) => path);
  const figures = { paths, tokens: answer.tokens, seconds: answer.seconds };
  if (json)
    out.json({ ...figures, ...(change.ok ? { diff: change.value.diff } : { reason: change.reason }) });
  else if (change.ok) out.text(change.value.diff);
  if (!change.ok) progress.warn(`No change for ${paths.join(", ")}: ${change.reason}`);
  return change.ok;
}

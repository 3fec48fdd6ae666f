// codefudge runs: the runs of a repository with their state; `runs show RUN` tells one of them whole.

import { resolve } from "node:path";
import { UsageError } from "../../base/errors.ts";
import { defineCommand } from "../command.ts";
import { existingRun } from "../steps/options.ts";
import { describeRow, listRuns, tellRun } from "../steps/runs.ts";
import { formatTable } from "../table.ts";
import { repositoryRoot, requireOwnWorkspace, workspaceOf } from "../workspace.ts";

const COLUMNS = [
  { title: "run" },
  { title: "state" },
  { title: "trained" },
  { title: "steps", align: "right" },
  { title: "held-out", align: "right" },
  { title: "size", align: "right" },
  { title: "begun (UTC)" },
] as const;

export const command = defineCommand({
  name: "runs",
  summary: "Lists the runs of a repository, or shows one of them",
  args: [
    { name: "action", help: "show, to tell one run whole", required: false, unset: "list all" },
    { name: "run", help: "Name or folder of the run", required: false },
  ],
  options: {},
  examples: [
    ["runs", "Each run with its state, its best held-out loss and its size"],
    ["runs show SmolLM2-135M", "Its configuration, its curve and what it learned from"],
  ],
  async run({ args, options, out, progress, signal, cwd }) {
    await requireOwnWorkspace(cwd, signal);
    const { runs } = workspaceOf(repositoryRoot(cwd));
    if (args.action === undefined) {
      const rows = listRuns(runs);
      if (options.json) for (const row of rows) out.json(row);
      else if (rows.length === 0) progress.line(`No runs in ${runs}; codefudge cook makes one`);
      else for (const line of formatTable(COLUMNS, rows.map(describeRow))) out.line(line);
      return 0;
    }
    if (args.action !== "show" || args.run === undefined) {
      throw new UsageError(
        `Expected \`runs\` or \`runs show RUN\`, found \`runs ${[args.action, args.run].filter(Boolean).join(" ")}\`; run \`codefudge runs\` for their names`,
      );
    }
    const told = tellRun(existingRun(args.run, { runs: resolve(runs), cwd }));
    if (options.json) out.json(told.json);
    else for (const line of told.lines) out.line(line);
    return 0;
  },
});

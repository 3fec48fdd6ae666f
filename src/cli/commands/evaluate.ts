// codefudge evaluate: a run in, a report out: base and trained model side by side on held-out commits.

import { defineCommand } from "../command.ts";
import { readRun } from "../run-folder.ts";
import { describeReport, evaluateOptions, evaluationStep } from "../steps/evaluation.ts";
import { findRunFolder } from "../steps/options.ts";
import { requireOwnWorkspace } from "../workspace.ts";

export const command = defineCommand({
  name: "evaluate",
  summary: "Measures a run on the newest commits, which it has not seen, beside its untrained base",
  args: [{ name: "run", help: "Run, by name or folder", unset: "the newest", required: false }],
  options: evaluateOptions,
  examples: [
    ["evaluate", "The newest run of the repository here"],
    ["evaluate scratch --samples 100", "A run by name, 100 answers written out"],
  ],
  async run({ args, options, out, progress, signal, cwd }) {
    await requireOwnWorkspace(cwd, signal);
    const folder = findRunFolder(args.run ?? null, cwd);
    const face = { out, progress, signal, json: options.json };
    const report = await evaluationStep({ folder, run: readRun(folder), options }, face);
    if (options.json) out.json(report);
    else for (const line of describeReport(report)) out.line(line);
    return 0;
  },
});

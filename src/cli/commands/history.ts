// codefudge history: a repository in, a dataset of examples out.

import { resolve } from "node:path";
import { historyOptions } from "../../history/harvest.ts";
import { findRepository } from "../../history/source.ts";
import { defineCommand } from "../command.ts";
import { describeDataset, harvestStep } from "../steps/harvest.ts";
import { formatPairs } from "../table.ts";
import { ensureWorkspace, workspaceOf } from "../workspace.ts";

export const command = defineCommand({
  name: "history",
  summary: "Reads a repository's history into a dataset of examples",
  args: [{ name: "repo", help: "Repository, or a folder in it", unset: ".", required: false }],
  options: {
    output: {
      type: "string",
      default: null,
      short: "o",
      help: "Dataset folder",
      unset: ".codefudge/dataset in the repository",
      value: "DIR",
    },
    ...historyOptions,
  },
  examples: [
    ["history", "The repository here, into .codefudge/dataset"],
    ["history ../express -o /tmp/express --max_commits 2000", "The newest 2,000 commits of another one"],
  ],
  async run({ args, options, out, progress, signal, cwd }) {
    const { top: repository } = await findRepository(resolve(cwd, args.repo ?? "."), signal);
    const workspace = workspaceOf(repository);
    const folder = options.output === null ? workspace.dataset : resolve(cwd, options.output);
    if (options.output === null) ensureWorkspace(workspace);
    const { max_file_bytes, max_commits } = options;
    const face = { out, progress, signal, json: options.json };
    const manifest = await harvestStep({ repository, folder }, { max_file_bytes, max_commits }, face);
    if (options.json) out.json({ dataset: folder, ...manifest });
    else for (const line of formatPairs([...describeDataset(manifest), ["dataset", folder]])) out.line(line);
    return 0;
  },
});

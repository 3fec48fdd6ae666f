// codefudge history: a repository in, a dataset of examples out.

import { resolve } from "node:path";
import { UsageError } from "../../base/errors.ts";
import { holdNursery } from "../../history/nursery.ts";
import { historyOptions, pickHistoryOptions } from "../../history/options.ts";
import { findRepository } from "../../history/source.ts";
import { defineCommand } from "../command.ts";
import { statsOptions } from "../steps/stats-options.ts";
import { formatPairs } from "../table.ts";
import { ensureWorkspace, requireOwn, workspaceOf } from "../workspace.ts";

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
    explain: {
      type: "string",
      default: null,
      help: "Read nothing; say what became of a commit, or of one file of it, in the dataset that is there, and why",
      value: "COMMIT[:PATH]",
    },
    ...historyOptions,
    ...statsOptions,
  },
  examples: [
    ["history", "The repository here, into .codefudge/dataset"],
    [
      "history --stats --model SmolLM2-135M.gguf",
      "And what is in it, in tokens of that model, with stats.html",
    ],
    ["history --explain HEAD~3:lib/app.js", "Whether that change became an example, and if not, why"],
    ["history ../express -o /tmp/express --max_commits 2000", "The newest 2,000 commits of another one"],
  ],
  async run({ args, options, out, progress, signal, cwd }) {
    holdNursery();
    if (options.model !== null && !options.stats) {
      throw new UsageError("Expected --stats beside --model, found none; history itself needs no model");
    }
    // Loaded while git is asked; to explain needs none of it.
    if (options.explain === null) void import("../steps/harvest.ts");
    const { top: repository, survey } = await findRepository(resolve(cwd, args.repo ?? "."), signal);
    const workspace = workspaceOf(repository);
    const folder = options.output === null ? workspace.dataset : resolve(cwd, options.output);
    const face = { out, progress, signal, json: options.json };
    await requireOwn(options.output === null ? workspace.root : folder, signal);
    if (options.explain !== null) {
      const { explainStep } = await import("../steps/explain.ts");
      await explainStep({ repository, folder }, options.explain, face);
      return 0;
    }
    if (options.output === null) ensureWorkspace(workspace);
    const { describeDataset, harvestStep } = await import("../steps/harvest.ts");
    const manifest = await harvestStep({ repository, folder, survey }, pickHistoryOptions(options), face);
    if (options.json) out.json({ dataset: folder, ...manifest });
    else for (const line of formatPairs([...describeDataset(manifest), ["dataset", folder]])) out.line(line);
    // Loaded where it is wanted: it brings models and tokenizers.
    if (options.stats) {
      const { statsStep } = await import("../steps/stats.ts");
      await statsStep(folder, { ...options, cwd }, face);
    }
    return 0;
  },
});

// codefudge train: a dataset and a base in, a run with its adapter out.

import { resolve } from "node:path";
import { defineCommand } from "../command.ts";
import { datasetStep } from "../steps/dataset.ts";
import { runOptions, trainJob } from "../steps/options.ts";
import { recipeNotes, recipeValues } from "../steps/recipe.ts";
import { describeRun } from "../steps/result.ts";
import { trainingStep } from "../steps/training.ts";
import { formatPairs } from "../table.ts";
import { repositoryRoot, requireOwnWorkspace, workspaceOf } from "../workspace.ts";

export const command = defineCommand({
  name: "train",
  summary: "Trains an adapter on a dataset, or goes on where it was stopped",
  args: [
    {
      name: "dataset",
      help: "Dataset folder, or one in a form of 2022",
      unset: ".codefudge/dataset",
      required: false,
    },
  ],
  options: runOptions,
  instead: recipeValues,
  notes: recipeNotes(),
  examples: [
    ["train --model SmolLM2-135M.gguf --time 20m --memory 2GB", "A LoRA adapter, 20 minutes within 2 GB"],
    ["train", "The small model from scratch, on the dataset of the repository here"],
    ["train --max_steps 200 --learning_rate 1e-3 --run slow", "Another run beside the first"],
    ["train --dry_run --model SmolLM2-135M.gguf", "What that would take, and three of its examples"],
    ["train --continue_from SmolLM2-135M --time 5m", "That run's adapter, on the commits since"],
    [
      "train --recipe 2022 --model google/long-t5-tglobal-base --memory 2GB",
      "As the scripts of 2022 did, with their settings for 2 GB",
    ],
  ],
  async run({ args, options, out, progress, signal, cwd, env, version }) {
    const face = { out, progress, signal, json: options.json };
    await requireOwnWorkspace(cwd, signal);
    const given =
      args.dataset === undefined ? workspaceOf(repositoryRoot(cwd)).dataset : resolve(cwd, args.dataset);
    const dataset = await datasetStep(given, cwd, face);
    const job = await trainJob(dataset, options, { cwd, env, progress, signal, version });
    const run = await trainingStep(job, face);
    if (run === null) return 0;
    if (options.json) out.json({ type: "finished", run: job.run, ...run });
    else for (const line of formatPairs(describeRun(job.run, run))) out.line(line);
    return 0;
  },
});

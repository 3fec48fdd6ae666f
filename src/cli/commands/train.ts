// codefudge train: a dataset and a base in, a run with its adapter out.

import { resolve } from "node:path";
import { loraOptions } from "../../adapters/lora.ts";
import { trainOptions } from "../../training/options.ts";
import { defineCommand } from "../command.ts";
import { modelOptions, repositoryRoot, trainJob } from "../steps/options.ts";
import { describeRun, trainingStep } from "../steps/training.ts";
import { formatPairs } from "../table.ts";
import { workspaceOf } from "../workspace.ts";

export const command = defineCommand({
  name: "train",
  summary: "Trains an adapter on a dataset, or goes on where it was stopped",
  args: [{ name: "dataset", help: "Dataset folder", unset: ".codefudge/dataset", required: false }],
  options: { ...modelOptions, ...loraOptions, ...trainOptions },
  examples: [
    ["train --model SmolLM2-135M.gguf --time 20m --memory 2GB", "A LoRA adapter, 20 minutes within 2 GB"],
    ["train", "The small model from scratch, on the dataset of the repository here"],
    ["train --max_steps 200 --learning_rate 1e-3 --run slow", "Another run beside the first"],
  ],
  async run({ args, options, out, progress, signal, cwd }) {
    const dataset =
      args.dataset === undefined ? workspaceOf(repositoryRoot(cwd)).dataset : resolve(cwd, args.dataset);
    const job = trainJob(dataset, cwd, options);
    const run = await trainingStep(job, { out, progress, signal, json: options.json });
    if (options.json) out.json({ run: job.run, ...run });
    else for (const line of formatPairs(describeRun(job.run, run))) out.line(line);
    return 0;
  },
});

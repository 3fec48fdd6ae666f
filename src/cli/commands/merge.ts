// codefudge merge: a run's adapter merged into its base, alone or with those of other runs on the same base, written
// as a model folder that needs no adapter.

import { resolve } from "node:path";
import { UsageError } from "../../base/errors.ts";
import { defineCommand } from "../command.ts";
import { mergeStep } from "../steps/merge.ts";
import { findRunFolder } from "../steps/options.ts";
import { formatPairs } from "../table.ts";
import { formatBytes } from "../units.ts";
import { requireOwnWorkspace } from "../workspace.ts";

export const command = defineCommand({
  name: "merge",
  summary: "Writes a run's base with its adapter merged in, as a model folder in Hugging Face layout",
  args: [{ name: "run", help: "Run, by name or folder", required: false, unset: "the newest" }],
  options: {
    output: {
      type: "string",
      default: null,
      short: "o",
      help: "Folder, new or empty",
      value: "DIR",
      unset: "RUN/merged",
    },
    adapter_scale: {
      type: "number",
      default: 1,
      help: "Strength of the adapter: 0 is the base, 1 as trained",
      value: "X",
      least: 0,
    },
    combine: {
      type: "strings",
      default: [],
      help: "Another run on the same base and its strength, such as other=0.5; added to the first",
      value: "RUN=X",
      unset: "none",
    },
  },
  examples: [
    ["merge -o merged", "The newest run as a model of its own, for programs that know no adapters"],
    ["merge first --adapter_scale 0.6 --combine second=0.4 -o both", "Two adapters in one model"],
  ],
  async run({ args, options, out, progress, signal, cwd }) {
    await requireOwnWorkspace(cwd, signal);
    const folder = findRunFolder(args.run ?? null, cwd);
    const others = options.combine.map((text) => {
      const match = /^([^=]+)(?:=([\d.]+(?:e-?\d+)?))?$/.exec(text);
      const weight = Number(match?.[2] ?? 1);
      if (!match || !Number.isFinite(weight)) {
        throw new UsageError(
          `Expected a run and its strength such as other=0.5 for --combine, found "${text}"`,
        );
      }
      return { folder: findRunFolder(match[1]!, cwd), weight };
    });
    const parts = [{ folder, weight: options.adapter_scale }, ...others];
    const merged = mergeStep(parts, options.output === null ? null : resolve(cwd, options.output));
    progress.line(
      `Merged ${parts.length === 1 ? "one adapter" : `${parts.length} adapters`} into ${merged.base}`,
    );
    if (options.json) out.json(merged);
    else {
      const rows = [["model", merged.output] as const, ["size", formatBytes(merged.bytes)] as const];
      for (const line of formatPairs(rows)) out.line(line);
    }
    return 0;
  },
});

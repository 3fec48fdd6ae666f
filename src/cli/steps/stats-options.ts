// The options of the stats step, apart from it: `history` offers them and seldom takes the step, whose models and
// tokenizers take a while to load.

import type { OptionTable, Values } from "../../base/options.ts";
import { DEFAULT_FORMAT, formats } from "../../dataset/format.ts";

/** What `history` offers beside its own options. */
export const statsOptions = {
  stats: {
    type: "boolean",
    default: false,
    help: "Show what is in the dataset, and write stats.html beside it",
  },
  model: {
    type: "string",
    default: null,
    help: "With --stats: count sizes in tokens of this model, and show examples as it sees them",
    unset: "sizes in bytes",
    value: "MODEL",
  },
  format: {
    type: "string",
    default: DEFAULT_FORMAT,
    choices: Object.keys(formats),
    help: "With --stats: form of the answer",
    value: "FORM",
  },
} as const satisfies OptionTable;

export type StatsOptions = Pick<Values<typeof statsOptions>, "model" | "format">;

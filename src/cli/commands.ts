// The verbs, in the order in which people meet them. A verb's module is loaded only when it is run, because some
// bring a large library with them; help loads all.

import type { Command } from "./command.ts";

type Module = { readonly command: Command };

/** To add a verb: write `commands/NAME.ts` exporting `command`, add its line here, run `npm run docs`. */
export const COMMANDS: Readonly<Record<string, () => Promise<Module>>> = {
  cook: () => import("./commands/cook.ts"),
  history: () => import("./commands/history.ts"),
  export: () => import("./commands/export.ts"),
  train: () => import("./commands/train.ts"),
  models: () => import("./commands/models.ts"),
  runs: () => import("./commands/runs.ts"),
  merge: () => import("./commands/merge.ts"),
  evaluate: () => import("./commands/evaluate.ts"),
  suggest: () => import("./commands/suggest.ts"),
  forward: () => import("./commands/forward.ts"),
  tokenizer: () => import("./commands/tokenizer.ts"),
  doctor: () => import("./commands/doctor.ts"),
};

export async function loadCommands(): Promise<Command[]> {
  const modules = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  return modules.map((module) => module.command);
}

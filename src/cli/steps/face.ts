// What a step of the work needs of the person it works for: somewhere to print results and progress, and a way to
// be stopped. A command's context is one.

import type { Output } from "../output.ts";
import type { Progress } from "../progress.ts";

export type Face = {
  readonly out: Output;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly json: boolean;
};

// A training run as people see it: one line while it goes on, and what came of it at the end.

import type { EndReason, Evaluation, Progress } from "../../training/progress.ts";
import type { TrainEvent } from "../../training/train.ts";
import { describeCurve } from "../curve.ts";
import { formatBytes, formatDuration } from "../units.ts";
import type { Face } from "./face.ts";

/** How a run ended. */
export type Finished = Extract<TrainEvent, { type: "finished" }>;

/** Steps whose mean loss is shown: one step alone is mostly chance. */
const RECENT = 20;

/** Shows events as they come; returns how the run ended. */
export async function follow(
  events: AsyncGenerator<TrainEvent, Progress>,
  face: Face,
  memory: () => number = () => process.memoryUsage.rss(),
): Promise<Finished> {
  const shown = { losses: [] as number[], held: "", tokens: 0, seconds: 0 };
  for (;;) {
    const next = await events.next();
    if (next.done) throw new Error("Expected a run to say that it finished");
    const event = next.value;
    if (event.type === "finished") {
      face.progress.finish();
      sayEnd(event, face);
      return event;
    }
    if (face.json) face.out.json(event);
    if (event.type === "step") {
      shown.losses = [...shown.losses, event.loss].slice(-RECENT);
      shown.tokens += event.tokens;
      shown.seconds += event.seconds;
      showStep(event, { ...shown, memory: memory() }, face);
    }
    if (event.type === "validated") {
      shown.held = `, held-out ${event.loss.toFixed(3)}`;
      face.progress.line(describeValidation(event));
    }
    if (event.type === "restored") {
      face.progress.line(
        `Back to step ${event.step}, the best on held-out examples (${event.loss.toFixed(3)})`,
      );
    }
  }
}

type Shown = {
  readonly losses: readonly number[];
  readonly held: string;
  readonly tokens: number;
  readonly seconds: number;
  readonly memory: number;
};

function showStep(event: Extract<TrainEvent, { type: "step" }>, shown: Shown, { progress }: Face): void {
  const loss = shown.losses.reduce((sum, value) => sum + value, 0) / shown.losses.length;
  const total = Math.max(event.step, Math.round(event.step / Math.max(event.done, 1e-9)));
  const note = [
    `loss ${loss.toFixed(3)}${shown.held}`,
    `rate ${event.learning_rate.toPrecision(2)}`,
    `${Math.round(shown.tokens / shown.seconds)} tokens/s`,
    formatBytes(shown.memory),
  ].join(", ");
  progress.update({ label: "train", done: event.step, total, unit: "steps", note });
}

function describeValidation({ step, loss, older, best }: Extract<TrainEvent, { type: "validated" }>): string {
  const old = older === undefined ? "" : `, of earlier examples ${older.toFixed(3)}`;
  const mark = best && step > 0 ? ", the best so far" : "";
  return `step ${step}: held-out loss ${loss.toFixed(3)}${old}${mark}`;
}

const REASONS: Readonly<Record<EndReason, string>> = {
  steps: "",
  time: ", its time is over",
  patience: ", as held-out loss has not fallen for a while (--early_stopping_patience 0 goes on)",
};

function sayEnd({ progress: run, reason }: Finished, { progress }: Face): void {
  progress.line(`trained ${run.step} steps in ${formatDuration(run.seconds)}${REASONS[reason]}`);
  for (const line of describeCurves(run)) progress.line(line);
  const warning = warningOf(run.evaluations);
  if (warning !== null) progress.warn(warning);
}

/** Lines with the curve of the loss, and of held-out loss where it was measured. */
export function describeCurves({ losses, evaluations }: Pick<Progress, "losses" | "evaluations">): string[] {
  const held = evaluations.map(({ loss }) => loss);
  return [
    ...(losses.length > 0 ? [`loss      ${describeCurve(losses)}`] : []),
    ...(held.length > 0 ? [`held-out  ${describeCurve(held)}`] : []),
  ];
}

function warningOf(evaluations: readonly Evaluation[]): string | null {
  const base = evaluations.find(({ step }) => step === 0);
  const trained = evaluations.filter(({ step }) => step > 0).map(({ loss }) => loss);
  if (base === undefined || trained.length === 0 || Math.min(...trained) < base.loss) return null;
  return (
    `Held-out loss was ${base.loss.toFixed(3)} before training and never lower since: this run learned nothing that helps; ` +
    "more history, a smaller --learning_rate or a larger base would"
  );
}

// Where a run stands, as data: what a checkpoint keeps of it beside the arrays, and what follows from it.

import type { Lasted } from "./clock.ts";

/** Held-out loss after a step, in nats a target. */
export type Evaluation = {
  readonly step: number;
  readonly loss: number;
  /** The same on examples that an earlier run learned, when this one continues it. */
  readonly older?: number;
};

/** Order of the data and dropout follow from seed and step, so no generator state is kept. */
export type Progress = {
  readonly step: number;
  /** Ids of real positions and of targets so far. */
  readonly tokens: number;
  readonly targets: number;
  /** Seconds of training so far, over all starts. */
  readonly seconds: number;
  /** Seconds since 1970 when the run first began. */
  readonly started: number;
  /** Identifies options, data and base: a run goes on only from its own. */
  readonly identity: string;
  /** Of each step so far: mean loss of its targets, norm of its gradients, learning rate, seconds of training at its end. */
  readonly losses: readonly number[];
  readonly grad_norms: readonly number[];
  readonly learning_rates: readonly number[];
  readonly times: readonly number[];
  readonly evaluations: readonly Evaluation[];
  /** Seconds of the run when its first step began; `null` before. */
  readonly begun: number | null;
  /** Held-out examples of a validation, where the clock decided how many; `null` before it has. */
  readonly held_out: number | null;
  /** Seconds that a step, a validation and a checkpoint took, so that a run by the clock goes on as it ran. */
  readonly lasted: Lasted;
  /** Why the run is over, once it is; what is left to do then is to write its result. */
  readonly ended: EndReason | null;
};

/** Why a run ended: all its steps, its time, or validations without a new best. */
export type EndReason = "steps" | "time" | "patience";

/** Nothing done yet. */
export function createProgress(identity: string, started: number): Progress {
  return {
    ...{ step: 0, tokens: 0, targets: 0, seconds: 0, started, identity },
    ...{ losses: [], grad_norms: [], learning_rates: [], times: [], evaluations: [] },
    ...{ begun: null, held_out: null, lasted: {}, ended: null },
  };
}

/** The evaluation with the lowest loss, the earliest of equals; that of step 0 tells of the base and does not count. */
export function bestOf(evaluations: readonly Evaluation[]): Evaluation | null {
  const trained = evaluations.filter(({ step }) => step > 0);
  return trained.reduce<Evaluation | null>(
    (best, each) => (best === null || each.loss < best.loss ? each : best),
    null,
  );
}

/** Whether the last `patience` evaluations brought no new best; a patience of 0 never ends. */
export function isOutOfPatience(evaluations: readonly Evaluation[], patience: number): boolean {
  const best = bestOf(evaluations);
  if (patience === 0 || best === null) return false;
  return evaluations.filter(({ step }) => step > best.step).length >= patience;
}

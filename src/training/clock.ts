// The time a run takes, and where a run by the clock stands. Seconds are those of training, validations and
// checkpoints alike, over all starts; they come from a clock that nobody can set back.

/** Times what passes: a run's seconds so far, and how long its parts last took. */
export type Clock = {
  /** Seconds of the run so far. */
  seconds(): number;
  /** Runs `work` and keeps how long it took under a name. */
  time<T>(name: Part, work: () => T): T;
  timeAsync<T>(name: Part, work: () => Promise<T>): Promise<T>;
  /** Mean seconds of the last few times, 0 before the first. */
  last(name: Part): number;
  /** The same of every part, for another start to go on from. */
  lasted(): Lasted;
};

type Part = "step" | "validate" | "save";

/** Seconds that the parts took when they were last timed. */
export type Lasted = Readonly<Partial<Record<Part, number>>>;

/** Steps differ as their examples do; the others hardly. */
const RECENT: Readonly<Record<Part, number>> = { step: 8, validate: 1, save: 1 };

/** A clock that goes on from `seconds`, counted since `since`, a reading of `performance.now()`. */
export function startClock(seconds: number, since: number, before: Lasted = {}): Clock {
  const lasted = new Map<Part, readonly number[]>();
  const last = (name: Part) => {
    const times = lasted.get(name) ?? [before[name] ?? 0];
    return times.reduce((sum, seconds) => sum + seconds, 0) / times.length;
  };
  const started = (name: Part) => {
    const at = performance.now();
    return () => {
      const seconds = (performance.now() - at) / 1000;
      lasted.set(name, [...(lasted.get(name) ?? []), seconds].slice(-RECENT[name]));
    };
  };
  return {
    seconds: () => seconds + (performance.now() - since) / 1000,
    time(name, work) {
      const done = started(name);
      try {
        return work();
      } finally {
        done();
      }
    },
    async timeAsync(name, work) {
      const done = started(name);
      try {
        return await work();
      } finally {
        done();
      }
    },
    last,
    lasted: () => ({ step: last("step"), validate: last("validate"), save: last("save") }),
  };
}

/**
 * Share of `time` that is over, what the end takes kept free: a last validation, a last checkpoint. Counted from `begun`,
 * the second at which steps began, it is the share of the steps.
 */
export function shareByClock(clock: Clock, time: number, begun = 0): number {
  const end = Math.max(time / 2, time - endOf(clock));
  return begun < end ? (clock.seconds() - begun) / (end - begun) : 1;
}

/** A run by the clock ends where it comes nearest to its time: half a step early rather than a whole one late. */
export function isOver(clock: Clock, time: number): boolean {
  return clock.seconds() + endOf(clock) + clock.last("step") / 2 >= time;
}

/** Whether a validation now leaves time for a step and for the validation at the end, which else it would be. */
export function isTimeToValidate(clock: Clock, time: number): boolean {
  return clock.seconds() + clock.last("validate") + clock.last("step") + endOf(clock) < time;
}

/** Seconds from the last step to the end. */
function endOf(clock: Clock): number {
  return clock.last("validate") + clock.last("save");
}

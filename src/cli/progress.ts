// What is going on, on stderr. On a terminal one line is rewritten in place, with rate, time left and time passed;
// elsewhere (a pipe, CI, TERM=dumb) a plain line appears every few seconds. Nothing of the terminal is switched (no
// hidden cursor), so that a kill at any moment leaves it as it was. It knows no unit of work: callers name theirs.

import type { Sink } from "./output.ts";
import { formatCount, formatDuration, formatRate } from "./units.ts";

export type Work = {
  readonly label: string;
  readonly done: number;
  readonly total?: number | undefined;
  /** What `done` counts, for the rate: `commits`, `steps`. */
  readonly unit?: string | undefined;
  /** A live value worth seeing, such as `loss 1.234`. */
  readonly note?: string | undefined;
};

export type Progress = {
  /** A line that stays; silent with --quiet. */
  line(text: string): void;
  /** A line that stays, even with --quiet: something the person should know. */
  warn(text: string): void;
  /** How far the work with this label is; call it as often as you like. */
  update(work: Work): void;
  /** Ends the running line, leaving its last state to be read. */
  finish(): void;
};

export type ProgressSettings = {
  readonly sink: Sink;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly quiet: boolean;
  /** Milliseconds; tests give their own clock. */
  readonly now?: () => number;
};

const TERMINAL_MS = 100;
const PLAIN_MS = 5000;
const CLEAR = "\r\x1b[K";

export function createProgress(settings: ProgressSettings): Progress {
  const { sink, env, quiet } = settings;
  const now = settings.now ?? (() => performance.now());
  const live = sink.isTTY === true && !env.CI && env.TERM !== "dumb";
  const colour = live && !env.NO_COLOR;
  let work: (Work & { started: number; startedAt: number; printed: number; stale: boolean }) | undefined;

  const print = (text: string) => sink.write(live ? `${CLEAR}${text}\n` : `${text}\n`);
  const draw = () => {
    if (!work) return;
    const text = describeWork(work, { elapsed: (now() - work.started) / 1000, startedAt: work.startedAt });
    work.printed = now();
    work.stale = false;
    if (live) sink.write(CLEAR + dim(fit(text, sink.columns ?? 80), colour));
    else sink.write(`${text}\n`);
  };
  const finish = () => {
    if (work?.stale) draw();
    if (work && live) sink.write("\n");
    work = undefined;
  };
  const say = (text: string) => {
    print(text);
    if (work && live) draw();
  };
  return {
    line: (text) => (quiet ? undefined : say(text)),
    warn: say,
    finish,
    update(next) {
      if (quiet) return;
      if (work && work.label !== next.label) finish();
      const started = work?.started ?? now();
      const printed = work?.printed ?? (live ? -Infinity : started);
      work = { ...next, started, startedAt: work?.startedAt ?? next.done, printed, stale: true };
      if (now() - printed >= (live ? TERMINAL_MS : PLAIN_MS)) draw();
    },
  };
}

/** `harvest 1,200/5,000 commits · 800 commits/s · 4.8 s left · 1.5 s`; the rate is that since the work began here. */
function describeWork(work: Work, since: { elapsed: number; startedAt: number }): string {
  const unit = work.unit === undefined ? "" : ` ${work.unit}`;
  const total = work.total === undefined ? "" : `/${formatCount(work.total)}`;
  const rate = since.elapsed > 0 ? (work.done - since.startedAt) / since.elapsed : 0;
  const left = work.total === undefined || rate <= 0 ? undefined : (work.total - work.done) / rate;
  return [
    `${work.label} ${formatCount(work.done)}${total}${unit}`,
    work.note,
    rate > 0 && work.unit !== undefined ? formatRate(rate, work.unit) : undefined,
    left !== undefined && left > 0 ? `${formatDuration(left)} left` : undefined,
    formatDuration(since.elapsed),
  ]
    .filter((part) => part !== undefined)
    .join(" · ");
}

// One column is left free: a full line would wrap and could not be rewritten.
function fit(text: string, columns: number): string {
  return text.length < columns ? text : `${text.slice(0, Math.max(0, columns - 2))}…`;
}

function dim(text: string, colour: boolean): string {
  return colour ? `\x1b[2m${text}\x1b[0m` : text;
}

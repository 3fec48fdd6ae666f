// Numbers for people: sizes, durations, rates. What `formatSpan` and, from 1 kB on, `formatBytes` print, an option reads back.

const SIZES = [
  ["GB", 1e9],
  ["MB", 1e6],
  ["kB", 1e3],
] as const;

/** `1.5 GB`, `24 MB`, `812 B`; decimal units, as everywhere in the program. */
export function formatBytes(bytes: number): string {
  const [unit, size] = SIZES.find(([, size]) => bytes >= size) ?? ["B", 1];
  return `${short(bytes / size)} ${unit}`;
}

/** Time that passes: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 07 min`. */
export function formatDuration(seconds: number): string {
  if (seconds < 59.5) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

/** A duration as an option takes it: `90s`, `20m`, `1.5h`. */
export function formatSpan(seconds: number): string {
  if (seconds >= 3600 && seconds % 900 === 0) return `${seconds / 3600}h`;
  return seconds >= 60 && seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`;
}

/** `1,234 tokens/s`, `0.42 steps/s`. */
export function formatRate(perSecond: number, unit: string): string {
  return `${formatCount(perSecond)} ${unit}/s`;
}

/** Whole from 100 on, with commas; three digits below. */
export function formatCount(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en-US") : short(value);
}

const LARGE = [
  ["G", 1e9],
  ["M", 1e6],
  ["k", 1e3],
] as const;

/** Three digits of a count that may be very large: `135 M`, `1.54 G`. */
export function formatLarge(value: number): string {
  const [unit, size] = LARGE.find(([, size]) => value >= size) ?? ["", 1];
  return `${short(value / size)} ${unit}`.trimEnd();
}

/** A share of 1: `12.5 %`. */
export function formatPercent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

// Results of the benches as one picture (SVG 1.1): tokens a second and peak memory of each side as bars, in the colours of
// the page it stands on. Takes the lines that the benches print; measures nothing.

import { UserError } from "../src/base/errors.ts";
import { escapeHtml } from "../src/stats/escape.ts";

/** What a line of a bench must have to be drawn. */
type Result = {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly peer: string | null;
  readonly peer_value: number | null;
  readonly peak_rss_bytes: number | null;
  readonly peer_peak_rss_bytes?: number | null;
  readonly work?: string;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly date: string };
};

type Side = {
  readonly label: string;
  readonly speed: number;
  readonly bytes: number | null;
  readonly kind: string;
};

const WIDTH = 720;
const NAMES = 240;
const ROW = 22;
const HEADING = 34;
/** Where the bars of the second figure begin. */
const SECOND = 490;
const LONGEST = 170;

const STYLE = `text{font:13px system-ui,sans-serif;fill:#1f2328}.small{font-size:11px;fill:#59636e}.title{font-weight:600}
.ours{fill:#1a7f5a}.peer{fill:#8c959f}@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.small{fill:#9198a1}
.ours{fill:#3fb98a}.peer{fill:#656c76}}`;

/** The picture of results that have a speed; throws a `UserError` for a line that no bench printed. */
export function drawPicture(lines: readonly string[]): string {
  const results = lines.filter((line) => line.trim() !== "").map(readResult);
  const last = results.at(-1);
  if (last === undefined) throw new UserError("Expected lines that npm run bench printed, found none");
  const drawn: string[] = [];
  let y = 0;
  for (const result of results) {
    const sides = sidesOf(result);
    drawn.push(drawResult(result, sides, y));
    y += HEADING + sides.length * ROW + 10;
  }
  const { cpu, cores, date } = last.machine;
  drawn.push(text({ x: 0, y: y + 14, kind: "small" }, `${cores} cores, ${cpu}, ${date.slice(0, 10)}`));
  const size = `viewBox="0 0 ${WIDTH} ${y + 24}" width="${WIDTH}" height="${y + 24}"`;
  const label = "Speed and memory of training, ours and the peer's";
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="${label}">\n<style>${STYLE}</style>\n${drawn.join("\n")}\n</svg>\n`;
}

function readResult(line: string): Result {
  try {
    const result = JSON.parse(line) as Result;
    if (typeof result.value === "number" && typeof result.machine?.date === "string") return result;
  } catch {}
  throw new UserError(`Expected lines that npm run bench printed, found "${line.slice(0, 60)}"`);
}

function sidesOf(result: Result): Side[] {
  const { value, peer, peer_value, peak_rss_bytes, peer_peak_rss_bytes = null } = result;
  const own = { label: "codefudge", speed: value, bytes: peak_rss_bytes, kind: "ours" };
  if (peer === null || peer_value === null) return [own];
  return [own, { label: peer, speed: peer_value, bytes: peer_peak_rss_bytes, kind: "peer" }];
}

/** Both figures of every side; bars of one result share their scales. */
function drawResult({ name, unit, work }: Result, sides: readonly Side[], y: number): string {
  const fastest = Math.max(...sides.map(({ speed }) => speed));
  const largest = Math.max(...sides.map(({ bytes }) => bytes ?? 0));
  const heading = [
    text({ x: 0, y: y + 20, kind: "title" }, work ?? name),
    text({ x: NAMES, y: y + 20, kind: "small" }, unit),
    text({ x: SECOND, y: y + 20, kind: "small" }, "GB at the peak"),
  ];
  const rows = sides.map(({ label, speed, bytes, kind }, i) => {
    const top = y + HEADING + i * ROW;
    const memory =
      bytes === null
        ? ""
        : bar({ x: SECOND, top, share: bytes / largest, kind, label: (bytes / 1e9).toFixed(2) });
    return (
      text({ x: 0, y: top + 12, kind: "" }, label) +
      bar({ x: NAMES, top, share: speed / fastest, kind, label: `${Math.round(speed)}` }) +
      memory
    );
  });
  return [...heading, ...rows].join("\n");
}

type Bar = {
  readonly x: number;
  readonly top: number;
  /** Of the longest bar. */
  readonly share: number;
  readonly kind: string;
  readonly label: string;
};

function bar({ x, top, share, kind, label }: Bar): string {
  const width = Math.max(1, Math.round(share * LONGEST));
  const drawn = `<rect class="${kind}" x="${x}" y="${top}" width="${width}" height="${ROW - 6}" rx="2"/>`;
  return drawn + text({ x: x + width + 6, y: top + 12, kind: "small" }, label);
}

function text({ x, y, kind }: { x: number; y: number; kind: string }, words: string): string {
  return `<text${kind === "" ? "" : ` class="${kind}"`} x="${x}" y="${y}">${escapeHtml(words)}</text>`;
}

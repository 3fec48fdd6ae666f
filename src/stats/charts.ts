// The two pictures of a summary as inline SVG (SVG 1.1): sizes against the model's context, and examples over time with
// the split in it. No scripts; titles on the bars say their numbers to who points at them or listens.

import { splits } from "../dataset/store.ts";
import { escapeHtml } from "./escape.ts";
import type { Summary } from "./summary.ts";
import { count, day } from "./words.ts";

const WIDTH = 720;
const HEIGHT = 200;
const BOTTOM = 24;
const TOP = 16;

/** Bars between powers of two; with a model a line where its context ends. */
export function sizeChart({ sizes: { bins, unit, context } }: Summary): string {
  if (bins.length === 0) return "";
  const width = WIDTH / bins.length;
  const scale = heightFor(Math.max(...bins.map((bin) => bin.count)));
  const bars = bins.map(({ from, to, count: size }, i) => {
    const title = `${count(from)} to ${count(to - 1)} ${unit}: ${count(size)} examples`;
    const label = text({ x: i * width + width / 2, anchor: "middle" }, short(from));
    return bar({ x: i * width, width, top: scale(size), base: HEIGHT - BOTTOM, kind: "size", title }) + label;
  });
  const place = context === null ? -1 : (Math.log2(context) - Math.log2(bins[0]!.from)) * width;
  const line = place < 0 || place > WIDTH ? "" : rule(place, `context ${count(context!)}`);
  return svg(`Sizes of examples in ${unit}`, bars.join("") + line);
}

/** Stacked bars, a colour for each split, and a line where validation and test begin. */
export function timeChart({ timeline: { spans, dated }, splits: all }: Summary): string {
  if (spans.length === 0) return "";
  const width = WIDTH / spans.length;
  const scale = heightFor(
    Math.max(...spans.map(({ counts }) => splits.reduce((sum, split) => sum + counts[split], 0))),
  );
  const bars = spans.flatMap(({ from, counts }, i) => {
    let below = 0;
    return splits.map((split) => {
      const base = scale(below);
      below += counts[split];
      const title = `from ${day(Math.floor(from), dated)}: ${count(counts[split])} ${split}`;
      return bar({ x: i * width, width, top: scale(below), base, kind: split, title });
    });
  });
  const [first, last] = [spans[0]!.from, spans.at(-1)!.to];
  const place = (time: number) => (WIDTH * (time - first)) / Math.max(1, last - first);
  const lines = (["validation", "test"] as const).flatMap((split) => {
    const begin = all[split].first;
    return begin === null ? [] : [rule(place(begin), split)];
  });
  const ends = [
    text({ x: 0, anchor: "start" }, day(Math.floor(first), dated)),
    text({ x: WIDTH, anchor: "end" }, day(Math.floor(last - 1), dated)),
  ];
  return svg("Examples over time", [...bars, ...lines, ...ends].join(""));
}

function heightFor(most: number): (value: number) => number {
  return (value) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * value) / Math.max(1, most);
}

type Bar = {
  readonly x: number;
  readonly width: number;
  readonly top: number;
  readonly base: number;
  readonly kind: string;
  readonly title: string;
};

function bar({ x, width, top, base, kind, title }: Bar): string {
  if (base - top <= 0) return "";
  const place = `x="${round(x + 0.5)}" y="${round(top)}" width="${round(Math.max(0.5, width - 1))}"`;
  return `<rect class="${kind}" ${place} height="${round(base - top)}"><title>${escapeHtml(title)}</title></rect>`;
}

function rule(x: number, label: string): string {
  const anchor = x > WIDTH / 2 ? "end" : "start";
  const line = `<line x1="${round(x)}" x2="${round(x)}" y1="4" y2="${HEIGHT - BOTTOM}"/>`;
  return line + text({ x: x + (anchor === "end" ? -4 : 4), y: 12, anchor }, label);
}

type Place = { readonly x: number; readonly y?: number; readonly anchor: "start" | "middle" | "end" };

/** At the foot unless told. */
function text({ x, y = HEIGHT - 6, anchor }: Place, label: string): string {
  return `<text x="${round(x)}" y="${y}" text-anchor="${anchor}">${escapeHtml(label)}</text>`;
}

function svg(title: string, content: string): string {
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(title)}">${content}</svg>`;
}

/** `512`, `4k`, `1M`: powers of two as people say them. */
function short(value: number): string {
  if (value >= 1 << 20) return `${value >> 20}M`;
  return value >= 1024 ? `${value >> 10}k` : String(value);
}

function round(value: number): string {
  return String(Math.round(value * 100) / 100);
}

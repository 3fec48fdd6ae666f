import assert from "node:assert/strict";
import { test } from "node:test";
import { createProgress, type Progress } from "./progress.ts";

type Screen = { progress: Progress; clock: { ms: number }; text(): string };

function screen(settings: {
  isTTY?: boolean;
  env?: Record<string, string>;
  quiet?: boolean;
  columns?: number;
}): Screen {
  let text = "";
  const clock = { ms: 0 };
  const sink = {
    write: (part: string) => (text += part),
    isTTY: settings.isTTY ?? false,
    columns: settings.columns ?? 80,
  };
  const { env = {}, quiet = false } = settings;
  return { progress: createProgress({ sink, env, quiet, now: () => clock.ms }), clock, text: () => text };
}

function count(at: Screen, steps: number): void {
  for (let done = 0; done <= steps; done++) {
    at.clock.ms = done * 50;
    at.progress.update({ label: "train", done, total: steps, unit: "steps", note: "loss 1.5" });
  }
}

test("a terminal sees one line rewritten, ten times a second at most", () => {
  const at = screen({ isTTY: true, env: { NO_COLOR: "1" } });
  count(at, 100);
  at.progress.finish();
  const states = at.text().split("\r\x1b[K").slice(1);
  assert.equal(states.length, 51);
  assert.equal(states[25], "train 50/100 steps · loss 1.5 · 20 steps/s · 2.5 s left · 2.5 s");
  assert.equal(states.at(-1), "train 100/100 steps · loss 1.5 · 20 steps/s · 5.0 s\n");
});

test("a pipe, CI and a dumb terminal get a plain line every five seconds and the last state", () => {
  for (const settings of [{}, { isTTY: true, env: { CI: "true" } }, { isTTY: true, env: { TERM: "dumb" } }]) {
    const at = screen(settings);
    count(at, 230);
    at.progress.finish();
    assert.equal(
      at.text(),
      [
        "train 100/230 steps · loss 1.5 · 20 steps/s · 6.5 s left · 5.0 s\n",
        "train 200/230 steps · loss 1.5 · 20 steps/s · 1.5 s left · 10 s\n",
        "train 230/230 steps · loss 1.5 · 20 steps/s · 12 s\n",
      ].join(""),
    );
  }
});

test("a line that stays does not mix with the running one", () => {
  const at = screen({ isTTY: true, env: { NO_COLOR: "1" } });
  at.progress.update({ label: "harvest", done: 3 });
  at.progress.line("found a tag");
  assert.equal(at.text(), "\r\x1b[Kharvest 3 · 0.0 s\r\x1b[Kfound a tag\n\r\x1b[Kharvest 3 · 0.0 s");
});

test("quiet leaves only warnings", () => {
  const at = screen({ quiet: true });
  at.progress.line("hello");
  count(at, 300);
  at.progress.warn("disk nearly full");
  at.progress.finish();
  assert.equal(at.text(), "disk nearly full\n");
});

test("a line never reaches the terminal's edge, and colour is off with NO_COLOR", () => {
  const narrow = screen({ isTTY: true, columns: 20, env: { NO_COLOR: "1" } });
  narrow.progress.update({ label: "a rather long label", done: 1 });
  assert.equal(narrow.text(), "\r\x1b[Ka rather long labe…");
  const coloured = screen({ isTTY: true });
  coloured.progress.update({ label: "x", done: 1 });
  assert.equal(coloured.text(), "\r\x1b[K\x1b[2mx 1 · 0.0 s\x1b[0m");
});

test("a new label is a new line with its own clock", () => {
  const at = screen({ isTTY: true, env: { NO_COLOR: "1" } });
  at.progress.update({ label: "a", done: 1 });
  at.clock.ms = 7000;
  at.progress.update({ label: "b", done: 1 });
  assert.equal(at.text(), "\r\x1b[Ka 1 · 0.0 s\n\r\x1b[Kb 1 · 0.0 s");
});

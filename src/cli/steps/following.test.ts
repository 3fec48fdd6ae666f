// What a run says of itself while it goes on and at its end, with every event that there is.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createProgress, type Progress } from "../../training/progress.ts";
import type { TrainEvent } from "../../training/train.ts";
import type { Work } from "../progress.ts";
import { follow } from "./following.ts";

const step = (number: number, loss: number): TrainEvent => ({
  type: "step",
  step: number,
  loss,
  grad_norm: 1,
  learning_rate: 5e-4,
  tokens: 200,
  seconds: 2,
  done: number / 4,
});

function finished(given: Partial<Progress>, reason: "steps" | "patience" = "steps"): TrainEvent {
  const progress = { ...createProgress("one", 0), step: 4, seconds: 65, ...given };
  return { type: "finished", progress, reason, told: {} };
}

async function seen(events: readonly TrainEvent[], json = false) {
  const shown = {
    lines: [] as string[],
    warnings: [] as string[],
    notes: [] as string[],
    json: [] as unknown[],
  };
  const face = {
    out: { line: () => {}, text: () => {}, json: (value: unknown) => void shown.json.push(value) },
    progress: {
      line: (text: string) => void shown.lines.push(text),
      warn: (text: string) => void shown.warnings.push(text),
      update: (work: Work) => void shown.notes.push(`${work.done}/${work.total} ${work.note}`),
      finish: () => {},
    },
    signal: new AbortController().signal,
    json,
  };
  const run = (async function* () {
    yield* events;
    return createProgress("one", 0);
  })();
  const end = await follow(run, face, () => 1.23e9);
  return { ...shown, end };
}

test("one line: step, mean of recent losses, held-out loss, rate, speed, memory; and the curve at the end", async () => {
  const { lines, notes, warnings, end } = await seen([
    { type: "validated", step: 0, loss: 3, best: false },
    step(1, 3),
    { type: "validated", step: 1, loss: 2.5, older: 1.25, best: true },
    step(2, 2),
    { type: "restored", step: 1, loss: 2.5 },
    finished({
      losses: [3, 2],
      evaluations: [
        { step: 0, loss: 3 },
        { step: 1, loss: 2.5 },
      ],
    }),
  ]);
  assert.deepEqual(notes, [
    "1/4 loss 3.000, held-out 3.000, rate 0.00050, 100 tokens/s, 1.23 GB",
    "2/4 loss 2.500, held-out 2.500, rate 0.00050, 100 tokens/s, 1.23 GB",
  ]);
  assert.deepEqual(lines, [
    "step 0: held-out loss 3.000",
    "step 1: held-out loss 2.500, of earlier examples 1.250, the best so far",
    "Back to step 1, the best on held-out examples (2.500)",
    "trained 4 steps in 1 min 05 s",
    "loss      3.000 █▁ 2.000",
    "held-out  3.000 █▁ 2.500",
  ]);
  assert.deepEqual(warnings, []);
  assert.equal(end.reason, "steps");
});

test("a run that ended early says why, one that learned nothing is warned of", async () => {
  const evaluations = [
    { step: 0, loss: 2 },
    { step: 2, loss: 2.1 },
  ];
  const { lines, warnings } = await seen([finished({ losses: [1], evaluations }, "patience")]);
  assert.match(lines[0]!, /^trained 4 steps in 1 min 05 s, as held-out loss has not fallen for a while/);
  assert.match(warnings[0]!, /^Held-out loss was 2\.000 before training and never lower since/);
});

test("with --json every event but the last is an object", async () => {
  const events = [step(1, 3), finished({ losses: [3] })];
  const { json } = await seen(events, true);
  assert.deepEqual(json, [events[0]]);
});

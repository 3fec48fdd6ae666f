// A rehearsal changes nothing, and names a time of the right size: how exact it is depends on what else the machine
// does, and is measured by hand (docs/log.md).

import assert from "node:assert/strict";
import { test } from "node:test";
import { readPeft } from "../adapters/peft.ts";
import { defaultsOf } from "../base/options.ts";
import { createRandom } from "../base/random.ts";
import { createModel } from "../models/table.ts";
import { openFolder } from "../weights/folder.ts";
import { Engine } from "./engine.ts";
import { type Resolved, resolveOptions, trainOptions } from "./options.ts";
import { rehearse } from "./rehearsal.ts";

const LLAMA = new URL("../../test/golden/llama/tied", import.meta.url).pathname;
const random = createRandom(5);
const sequences = Array.from({ length: 30 }, (_, i) => ({
  ids: Int32Array.from({ length: 6 + 2 * i }, () => random.below(67)),
  promptLength: 4,
}));

async function rehearseWith(given: Partial<Resolved>) {
  const source = openFolder(LLAMA);
  const engine = new Engine({
    model: createModel(source.config),
    read: source.read,
    adapter: readPeft(`${LLAMA}/adapter`),
    trainable: "adapter",
    device: { threads: 1, arena: true },
  });
  const before = [...engine.trained.values()].map(({ data }) => data.slice());
  const options = { ...resolveOptions(defaultsOf(trainOptions), "adapter"), ...given };
  const found = await rehearse({
    engine,
    sequences,
    validation: sequences.slice(0, 8),
    options,
    batch: 1,
    signal: new AbortController().signal,
  });
  assert.deepEqual(
    [...engine.trained.values()].map(({ data }) => data),
    before,
  );
  assert.ok([...engine.trained.values()].every(({ gradient }) => gradient.every((value) => value === 0)));
  await engine.dispose();
  return found;
}

test("steps, tokens and validations are those of the run, its time is some", async () => {
  const { steps, tokens, seconds, tokens_per_second, validations, held_out } = await rehearseWith({
    max_steps: 15,
    eval_steps: 5,
  });
  assert.equal(steps, 15);
  // Fifteen windows of four are two passes.
  assert.equal(tokens, 2 * sequences.reduce((sum, { ids }) => sum + ids.length, 0));
  assert.equal(validations, 4);
  assert.ok(held_out >= 4);
  assert.ok(seconds > 0.01 && seconds < 60, `${seconds} s`);
  assert.ok(Math.abs(tokens / tokens_per_second - seconds) < seconds);
});

test("by the clock the time is what was given, and steps are as many as fit", async () => {
  const { steps, seconds } = await rehearseWith({ time: 60 });
  assert.equal(seconds, 60);
  assert.ok(steps > 10);
});

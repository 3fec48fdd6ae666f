// The dials of memory and speed from the command line to the run's files: what they promise is what a run then does.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createWorkshop, run, type Workshop } from "./tiny.ts";

let shop: Workshop;

before(async () => {
  shop = await createWorkshop();
});
after(() => shop.dispose());

const SHORT = ["--max_length", "256", "--max_steps", "3", "--threads", "1", "--eval_strategy", "no"];
const train = (...more: readonly string[]) =>
  run(["train", "--model", shop.model, ...SHORT, ...more], { cwd: shop.repository });

/** Losses of a run's steps, and the bytes of its adapter. */
async function trained(name: string, ...more: readonly string[]) {
  const { code, stdout, stderr } = await train("--run", name, "--json", ...more);
  assert.equal(code, 0, stderr);
  const events = stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const losses: number[] = events.filter(({ type }) => type === "step").map(({ loss }) => loss);
  const adapter = readFileSync(join(shop.repository, ".codefudge/runs", name, "adapter_model.safetensors"));
  return { losses, adapter, stderr };
}

test("packed examples have the losses of examples alone, and the same bytes every time", async () => {
  const alone = await trained("alone", "--no-packing");
  const packed = await trained("packed", "--packing", "--explain_plan");
  assert.match(packed.stderr, /short ones together in one row/);
  assert.equal(packed.losses.length, 3);
  packed.losses.forEach((loss, i) => {
    assert.ok(Math.abs(loss - alone.losses[i]!) < 1e-4 * loss, `step ${i}: ${loss}, ${alone.losses[i]}`);
  });
  assert.deepEqual((await trained("again", "--packing")).adapter, packed.adapter);
});

test("weights in blocks train an adapter, whose files are read back and checked", async () => {
  const { losses, stderr } = await trained("blocks", "--storage", "int4", "--explain_plan");
  assert.match(stderr, /held in blocks of 32, int4/);
  const plain = await trained("plain");
  assert.ok(Math.abs(losses[0]! - plain.losses[0]!) < 0.02 * losses[0]!);
  assert.notEqual(losses[0], plain.losses[0]);
});

test("the smallest budget that a refusal names is enough, and changes no loss", async () => {
  const refusal = await train("--run", "none", "--memory", "1MB");
  assert.equal(refusal.code, 1);
  const least = /give --memory (\S+) /.exec(refusal.stderr)?.[1];
  assert.ok(least, refusal.stderr);
  const tight = await trained("tight", "--memory", least, "--explain_plan", "--no-packing");
  assert.match(tight.stderr, /Working memory is given back after every run/);
  const predicted = /Predicted peak: (\S+) MB/.exec(tight.stderr)?.[1];
  assert.ok(Number(predicted) <= Number.parseFloat(least), `${predicted} MB planned within ${least}`);
  const held = await trained("held", "--explain_plan", "--no-packing");
  assert.match(held.stderr, /Working memory is held from run to run/);
  const { losses } = held;
  tight.losses.forEach((loss, i) => {
    assert.ok(Math.abs(loss - losses[i]!) < 1e-5 * loss, `step ${i}: ${loss}, ${losses[i]}`);
  });
});

test("a form of weights that goes with another dial is refused", async () => {
  const { code, stderr } = await train("--storage", "int4", "--compute", "int8");
  assert.equal(code, 1);
  assert.match(stderr, /found --compute int8/);
});

// Killed at any moment and started again, a training run ends with the bytes of the undisturbed one. Real processes,
// real kills; the moments come from a seed, as far as a busy machine lets them.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createRandom, type Random } from "../src/base/random.ts";
import { type Child, createWorkshop, listFiles, start, type Workshop } from "./tiny.ts";

const KILLS = 5;
const STEPS = 20;
/** More than are done while another process starts. */
const LONG = 2000;
/** Milliseconds: about a step, with its checkpoint. */
const MOMENT = 60;

let workshop: Workshop;

before(async () => {
  workshop = await createWorkshop();
});

after(() => workshop.dispose());

function trainAs(run: string, method: string, steps: number = STEPS): Child {
  const size = [
    "--max_length",
    "256",
    "--per_device_train_batch_size",
    "4",
    "--gradient_accumulation_steps",
    "1",
  ];
  const pace = ["--max_steps", String(steps), "--save_steps", "2", "--eval_steps", "7", "--threads", "1"];
  const what = ["--model", workshop.model, "--method", method, "--run", run];
  return start(["train", "--json", ...what, ...size, ...pace], workshop.repository);
}

function fileOf(run: string, name: string): string {
  return join(workshop.repository, ".codefudge", "runs", run, name);
}

/** Ends a child some steps into its training, anywhere within a step, a checkpoint or what follows. */
async function interrupt(child: Child, random: Random, signal: NodeJS.Signals) {
  await child.steps(1 + random.below(3));
  await sleep(random.uniform() * MOMENT);
  child.kill(signal);
  return child.done;
}

/** Steps at which the runs of a child's JSON lines began. */
function startedAt(stdout: string): number | undefined {
  const events = stdout.split("\n").filter((line) => line.startsWith('{"type":"started"'));
  return events.map((line) => (JSON.parse(line) as { step: number }).step)[0];
}

async function killOverAndOver(method: string, seed: number): Promise<void> {
  const random = createRandom(seed);
  const run = `killed-${method}`;
  for (let kill = 0; kill < KILLS; kill++) {
    const { signal, stderr } = await interrupt(trainAs(run, method), random, "SIGKILL");
    assert.equal(signal, "SIGKILL", stderr);
    assert.ok(!existsSync(fileOf(run, "run.json")), "a killed run is not finished");
  }
  const last = await trainAs(run, method).done;
  assert.equal(last.code, 0, last.stderr);
  assert.ok(startedAt(last.stdout)! > 0, "the last start goes on from a checkpoint");
}

function assertSame(method: string, file: string): void {
  const [calm, killed] = ["calm", "killed"].map((kind) => readFileSync(fileOf(`${kind}-${method}`, file)));
  assert.ok(calm!.length > 10_000);
  assert.ok(calm!.equals(killed!), `${file} of the killed run differs from the undisturbed one`);
  const names = ["calm", "killed"].map((kind) => listFiles(fileOf(`${kind}-${method}`, "")));
  assert.deepEqual(names[1], names[0], "nothing is left over");
}

suite("kill -9 at five moments, and started again each time", { concurrency: true }, () => {
  for (const [method, file] of [
    ["adapter", "adapter_model.safetensors"],
    ["full", "model/model.safetensors"],
  ] as const) {
    test(`${method}: the same bytes`, async () => {
      const calm = await trainAs(`calm-${method}`, method).done;
      assert.equal(calm.code, 0, calm.stderr);
      await killOverAndOver(method, 4);
      assertSame(method, file);
    });
  }

  test("a kill between a run's manifest and the removal of its checkpoints: the next start removes them", async () => {
    const files = async () => {
      const { code, stderr } = await trainAs("last", "adapter", 2).done;
      assert.equal(code, 0, stderr);
      return listFiles(fileOf("last", ""));
    };
    const wanted = await files();
    mkdirSync(fileOf("last", "checkpoint-2"));
    writeFileSync(join(fileOf("last", "checkpoint-2"), "codefudge_state.json"), "{}");
    assert.deepEqual(await files(), wanted);
  });

  test("Ctrl-C ends with 130 and a checkpoint, and the next start goes on from it", async () => {
    const stopped = await interrupt(trainAs("stopped", "adapter"), createRandom(9), "SIGINT");
    assert.equal(stopped.code, 130, stopped.stderr);
    assert.match(stopped.stderr, /Interrupted\n$/);
    const step = requireCheckpoint("stopped");
    const next = await trainAs("stopped", "adapter").done;
    assert.equal(next.code, 0, next.stderr);
    assert.equal(startedAt(next.stdout), step);
  });

  test("a second at work on the same run is told, and a reader that leaves is no error", async () => {
    const first = trainAs("busy", "adapter", LONG);
    await first.steps(1);
    const second = await trainAs("busy", "adapter", LONG).done;
    assert.deepEqual([second.code, second.stdout], [1, ""]);
    const told = `Expected nobody else at work in .*busy, found codefudge there as process ${first.pid}; wait until`;
    assert.match(second.stderr, new RegExp(`^${told} it ends, or train another run with --run NAME\\n$`));
    first.kill("SIGKILL");
    await first.done;
    const unread = trainAs("busy", "adapter", LONG);
    await unread.steps(1);
    unread.leave();
    const { code, stderr } = await unread.done;
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /Error|Interrupted|\n {4}at /);
    requireCheckpoint("busy");
  });
});

/** The step of the newest checkpoint of a run; all that there are, the best and the newest, are whole. */
function requireCheckpoint(run: string): number {
  const names = readdirSync(fileOf(run, "")).filter((entry) => entry.startsWith("checkpoint-"));
  assert.ok(names.length === 1 || names.length === 2, names.join());
  for (const name of names) {
    assert.deepEqual(listFiles(fileOf(run, name)), [
      "codefudge_state.json",
      "optimizer.safetensors",
      "trained.safetensors",
      "trainer_state.json",
    ]);
  }
  return Math.max(...names.map((name) => Number(name.slice("checkpoint-".length))));
}

// By hand: `node --import tsx test/kills.ts [KILLS] [SEED]`. Real training runs of the command line are killed with
// kill -9 at random moments from their start to their end, and started again each time; each run that ends must have
// the bytes of an undisturbed one, and no folder may be left that another command misreads. Prints one line of JSON.

import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createRandom } from "../src/base/random.ts";
import { type Child, createWorkshop, listFiles, run, start } from "./tiny.ts";

const [kills, seed] = [Number(process.argv[2] ?? 200), Number(process.argv[3] ?? 1)];
const STEPS = 16;
const random = createRandom(seed);
const shop = await createWorkshop();
const runs = join(shop.repository, ".codefudge", "runs");

/** A run of each kind, so that both sorts of result are written: `full` a model folder, `adapter` PEFT files. */
function trainAs(name: string, method: string): Child {
  const size = ["--max_length", "256", "--gradient_accumulation_steps", "1", "--threads", "1"];
  const pace = ["--max_steps", String(STEPS), "--save_steps", "1", "--eval_steps", "3"];
  const what = ["--model", shop.model, "--method", method, "--run", name];
  return start(["train", "--json", ...what, ...size, ...pace], shop.repository);
}

const FILES = { adapter: "adapter_model.safetensors", full: "model/model.safetensors" } as const;
type Method = keyof typeof FILES;

async function calmRun(method: Method) {
  const { code, stderr, seconds } = await trainAs(`calm-${method}`, method).done;
  assert.equal(code, 0, stderr);
  const folder = join(runs, `calm-${method}`);
  return { seconds, bytes: readFileSync(join(folder, FILES[method])), files: listFiles(folder) };
}

/** What other commands make of a folder that a kill has just left. */
async function assertReadable(name: string): Promise<void> {
  for (const tokens of [["runs"], ["runs", "show", name]]) {
    const { code, stderr } = await run(tokens, { cwd: shop.repository });
    // Before the plan is written there is nothing to show, which is a sentence.
    assert.ok(code === 0 || /^Expected a run in /.test(stderr), stderr);
  }
  const { code, stderr } = await run(["evaluate", name], { cwd: shop.repository });
  assert.equal(code, 1);
  assert.match(stderr, /^Expected a (finished )?run in .*\n$/);
}

try {
  const counts = { kills: 0, finished: 0, at_start: 0 };
  const calm = { adapter: await calmRun("adapter"), full: await calmRun("full") };
  for (let round = 0; counts.kills < kills; round++) {
    const method: Method = round % 2 === 0 ? "adapter" : "full";
    const name = `killed-${method}`;
    const folder = join(runs, name);
    rmSync(folder, { recursive: true, force: true });
    for (;;) {
      const child = trainAs(name, method);
      // A quarter dies while it starts; the others anywhere in what a whole run takes, or end before.
      const wait = random.below(4) === 0 ? 0 : random.uniform() * calm[method].seconds;
      if (wait > 0) await Promise.race([child.steps(1), child.done]);
      await Promise.race([sleep(wait * 1000 * 0.5 + random.uniform() * 300), child.done]);
      child.kill("SIGKILL");
      const { code, signal, stderr } = await child.done;
      if (signal === "SIGKILL") {
        counts.kills++;
        if (wait === 0) counts.at_start++;
        if (!listFiles(folder).includes("run.json")) await assertReadable(name);
        continue;
      }
      assert.equal(code, 0, stderr);
      counts.finished++;
      assert.ok(
        readFileSync(join(folder, FILES[method])).equals(calm[method].bytes),
        `${name} has other bytes`,
      );
      assert.deepEqual(listFiles(folder), calm[method].files, "nothing is left over");
      break;
    }
    process.stderr.write(`${JSON.stringify(counts)}\n`);
  }
  process.stdout.write(`${JSON.stringify({ ...counts, seed, steps: STEPS })}\n`);
} finally {
  shop.dispose();
}

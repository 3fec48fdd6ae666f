// By hand: `node --import tsx test/kills.ts [KILLS] [SEED]`. Real training runs of the command line are killed with
// kill -9, half of them from outside at random moments from start to end, half at a write, a rename or a removal, and
// started again each time; each run that ends must have the bytes of an undisturbed one, and no folder may be left that
// another command misreads. Prints one line of JSON: the kills by what the process was at.

import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createRandom } from "../src/base/random.ts";
import type { PlaceName } from "./places.ts";
import { type Child, createWorkshop, listFiles, run, start } from "./tiny.ts";

const [kills, seed] = [Number(process.argv[2] ?? 200), Number(process.argv[3] ?? 1)];
const STEPS = 16;
const AIMED: readonly PlaceName[] = ["checkpoint", "rename", "removal", "result"];
const random = createRandom(seed);
const shop = await createWorkshop();
const runs = join(shop.repository, ".codefudge", "runs");
const placeFile = join(shop.folder, "place");

/** A run of each kind, so that both sorts of result are written: `full` a model folder, `adapter` PEFT files. */
function trainAs(name: string, method: string, aim: string = ""): Child {
  const size = ["--max_length", "256", "--gradient_accumulation_steps", "1", "--threads", "1"];
  const pace = ["--max_steps", String(STEPS), "--save_steps", "1", "--eval_steps", "3"];
  const what = ["--model", shop.model, "--method", method, "--run", name];
  const env = { CODEFUDGE_TEST_PLACE: placeFile, CODEFUDGE_TEST_KILL: aim };
  const first = { path: new URL("places.ts", import.meta.url).pathname, env };
  return start(["train", "--json", ...what, ...size, ...pace], shop.repository, first);
}

const FILES = { adapter: "adapter_model.safetensors", full: "model/model.safetensors" } as const;
type Method = keyof typeof FILES;

async function calmRun(method: Method) {
  const { code, stderr, seconds } = await trainAs(`calm-${method}`, method).done;
  assert.equal(code, 0, stderr);
  const folder = join(runs, `calm-${method}`);
  const calls: Record<string, number> = JSON.parse(readFileSync(`${placeFile}.json`, "utf8"));
  return { seconds, calls, bytes: readFileSync(join(folder, FILES[method])), files: listFiles(folder) };
}

/** Where in what it does a process ends itself: at any call of a place, the early ones more often. */
function aimAt(place: PlaceName, calls: Readonly<Record<string, number>>): string {
  const most = Math.ceil((calls[place] ?? 1) * random.uniform());
  return `${place} ${1 + random.below(most)} ${random.below(2) === 0 ? "before" : "after"}`;
}

/** Trains until it is killed or ends: a quarter is killed while it starts, a quarter later, half at a call. */
async function trainAndKill(name: string, method: Method) {
  const which = random.below(4);
  if (which >= 2) {
    const aim = aimAt(AIMED[random.below(AIMED.length)]!, calm[method].calls);
    return trainAs(name, method, aim).done;
  }
  const child = trainAs(name, method);
  const wait = which === 0 ? 0 : random.uniform() * calm[method].seconds;
  if (wait > 0) await Promise.race([child.steps(1), child.done]);
  await Promise.race([sleep(wait * 1000 * 0.5 + random.uniform() * 300), child.done]);
  child.kill("SIGKILL");
  return child.done;
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

const placeOfKill = () => (existsSync(placeFile) ? readFileSync(placeFile, "utf8").trim() : "") || "start";

async function killUntilItEnds(name: string, method: Method): Promise<void> {
  const folder = join(runs, name);
  for (;;) {
    rmSync(placeFile, { force: true });
    const { code, signal, stderr } = await trainAndKill(name, method);
    if (signal !== "SIGKILL") {
      assert.equal(code, 0, stderr);
      const bytes = readFileSync(join(folder, FILES[method]));
      assert.ok(bytes.equals(calm[method].bytes), `${name} has other bytes`);
      assert.deepEqual(listFiles(folder), calm[method].files, "nothing is left over");
      return;
    }
    counts.kills++;
    const place = placeOfKill();
    counts.places[place] = (counts.places[place] ?? 0) + 1;
    if (!listFiles(folder).includes("run.json")) await assertReadable(name);
  }
}

const counts = { kills: 0, finished: 0, places: {} as Record<string, number> };
let calm: Readonly<Record<Method, Awaited<ReturnType<typeof calmRun>>>>;
try {
  calm = { adapter: await calmRun("adapter"), full: await calmRun("full") };
  for (let round = 0; counts.kills < kills; round++) {
    const method: Method = round % 2 === 0 ? "adapter" : "full";
    rmSync(join(runs, `killed-${method}`), { recursive: true, force: true });
    await killUntilItEnds(`killed-${method}`, method);
    counts.finished++;
    process.stderr.write(`${JSON.stringify(counts)}\n`);
  }
  process.stdout.write(`${JSON.stringify({ ...counts, seed, steps: STEPS })}\n`);
} finally {
  shop.dispose();
}

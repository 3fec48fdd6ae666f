// A disk that fills up, a folder that may not be written, at each call that a run makes to write: nothing is lost, what
// is there is never half, and the run ends as an undisturbed one when there is room again. Every call is failed in turn
// with CODEFUDGE_LONG set, some without.

import assert from "node:assert/strict";
import fs, { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readPeft } from "../src/adapters/peft.ts";
import { UserError } from "../src/base/errors.ts";
import { defaultsOf } from "../src/base/options.ts";
import { createRandom } from "../src/base/random.ts";
import { createModel } from "../src/models/table.ts";
import type { Sequence } from "../src/training/batch.ts";
import { Engine } from "../src/training/engine.ts";
import { resolveOptions, trainOptions } from "../src/training/options.ts";
import { train } from "../src/training/train.ts";
import { openFolder } from "../src/weights/folder.ts";

const LLAMA = new URL("golden/llama/tied", import.meta.url).pathname;
const temporary = mkdtempSync(join(tmpdir(), "codefudge-disk-"));
after(() => rmSync(temporary, { recursive: true }));
const EVERY = process.env.CODEFUDGE_LONG === undefined ? 47 : 1;

const random = createRandom(7);
const sequences: Sequence[] = Array.from({ length: 6 }, () => ({
  ids: Int32Array.from({ length: 9 }, () => random.below(67)),
  promptLength: 4,
}));

/** Calls through which anything reaches a disk; removing does not. */
const CALLS = ["mkdirSync", "openSync", "writeSync", "fsyncSync", "renameSync"] as const;

/** Runs `work` with the `failing`-th writing call, and all after it, failing with `code`; returns how many there were. */
async function withFailure(failing: number, code: string, work: () => Promise<void>): Promise<number> {
  const real = CALLS.map((name) => fs[name]);
  let count = 0;
  for (const [i, name] of CALLS.entries()) {
    const call = (...given: unknown[]): unknown => {
      const reads = name === "openSync" && given[1] === "r";
      if (!reads && ++count >= failing) throw Object.assign(new Error(code), { code });
      return (real[i] as (...given: unknown[]) => unknown)(...given);
    };
    Object.assign(fs, { [name]: call });
  }
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    for (const [i, name] of CALLS.entries()) Object.assign(fs, { [name]: real[i] });
    syncBuiltinESMExports();
  }
  return count;
}

/** Trains four steps, or goes on; returns what was trained. */
async function trainIn(folder: string): Promise<Map<string, Float32Array>> {
  const source = openFolder(LLAMA);
  const engine = new Engine({
    model: createModel(source.config),
    read: source.read,
    adapter: readPeft(join(LLAMA, "adapter")),
    trainable: "adapter",
    device: { threads: 1, arena: true },
  });
  const given = { max_steps: 4, save_steps: 1, eval_steps: 2, gradient_accumulation_steps: 1 };
  const options = resolveOptions({ ...defaultsOf(trainOptions), ...given }, "adapter");
  try {
    const run = train({
      engine,
      sequences,
      validation: sequences.slice(0, 1),
      options,
      batch: 1,
      folder,
      identity: "one",
      signal: new AbortController().signal,
    });
    for await (const _ of run);
    return new Map([...engine.trained].map(([name, { data }]) => [name, data.slice()]));
  } finally {
    await engine.dispose();
    source.dispose();
  }
}

for (const [what, code, says] of [
  ["a disk that is full", "ENOSPC", /no space left on the disk; free some and run this again/],
  ["a folder that may not be written", "EACCES", /no permission; give another folder/],
] as const) {
  test(`${what}, from any call on: the run is told, and goes on to the same bytes`, async () => {
    let wanted = new Map<string, Float32Array>();
    const calm = join(temporary, `calm-${code}`);
    const calls = await withFailure(Infinity, code, async () => {
      wanted = await trainIn(calm);
    });
    const names = readdirSync(calm).sort();
    assert.ok(calls > 50, `${calls} calls`);
    for (let failing = 1; failing <= calls; failing += EVERY) {
      const folder = join(temporary, `${code}-${failing}`);
      const broken = withFailure(failing, code, async () => void (await trainIn(folder)));
      await assert.rejects(broken, (error) => {
        assert.ok(error instanceof UserError, `call ${failing}: ${String(error)}`);
        assert.match(error.message, says);
        return true;
      });
      const unfinished = fs.existsSync(folder)
        ? readdirSync(folder).filter((name) => name.startsWith("."))
        : [];
      assert.deepEqual(unfinished, [], `call ${failing} leaves something half behind`);
      assert.deepEqual(await trainIn(folder), wanted, `call ${failing}`);
      assert.deepEqual(readdirSync(folder).sort(), names, `call ${failing}`);
      rmSync(folder, { recursive: true });
    }
  });
}

test("a clock that is set back, or far ahead, while a run trains changes nothing of it", async () => {
  const wanted = await trainIn(join(temporary, "steady"));
  const real = Date.now;
  let shift = 0;
  Date.now = () => {
    shift = -2 * shift + 86_400_000;
    return real() + shift;
  };
  try {
    const folder = join(temporary, "jumping");
    assert.deepEqual(await trainIn(folder), wanted);
    const [newest] = readdirSync(folder).filter((name) => name === "checkpoint-4");
    const state = JSON.parse(readFileSync(join(folder, newest!, "codefudge_state.json"), "utf8"));
    assert.ok(state.seconds > 0 && state.seconds < 600, `${state.seconds} seconds`);
    assert.deepEqual(
      state.times,
      [...state.times].sort((a, b) => a - b),
    );
  } finally {
    Date.now = real;
  }
});

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
import { createWorkshop, listFiles, run } from "./tiny.ts";

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
const CALLS = [
  ...(["mkdirSync", "openSync", "writeSync", "fsyncSync", "renameSync"] as const),
  ...(["linkSync", "writeFileSync"] as const),
];

/**
 * Runs `work` with the `failing`-th writing call, and all after it, failing with `code`; counts them. Of what
 * the last write before that is given only half finds room, as on a disk that is filled to its last byte.
 */
async function withFailure<T>(failing: number, code: string, work: () => Promise<T>) {
  const real = CALLS.map((name) => fs[name]);
  let calls = 0;
  for (const [i, name] of CALLS.entries()) {
    const call = (...given: unknown[]): unknown => {
      const reads = name === "openSync" && (given[1] === "r" || typeof given[1] === "number");
      if (!reads && ++calls >= failing) throw Object.assign(new Error(code), { code });
      if (name === "writeSync" && calls === failing - 1) return writeHalf(real[i] as WriteSync, given);
      return (real[i] as (...given: unknown[]) => unknown)(...given);
    };
    Object.assign(fs, { [name]: call });
  }
  syncBuiltinESMExports();
  try {
    const value = await work();
    return { calls, value };
  } finally {
    for (const [i, name] of CALLS.entries()) Object.assign(fs, { [name]: real[i] });
    syncBuiltinESMExports();
  }
}

type WriteSync = (handle: number, bytes: Uint8Array, offset: number, length: number) => number;

function writeHalf(write: WriteSync, [handle, bytes, offset = 0]: unknown[]): number {
  const left = (bytes as Uint8Array).byteLength - (offset as number);
  return write(handle as number, bytes as Uint8Array, offset as number, Math.ceil(left / 2));
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
    const calm = join(temporary, `calm-${code}`);
    const { calls, value: wanted } = await withFailure(Infinity, code, () => trainIn(calm));
    const names = readdirSync(calm).sort();
    assert.ok(calls > 50, `${calls} calls`);
    for (let failing = 1; failing <= calls; failing += EVERY) {
      const folder = join(temporary, `${code}-${failing}`);
      const broken = withFailure(failing, code, () => trainIn(folder));
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

test("a disk that is full while the command writes its plan, its checkpoints or its result: the same", async () => {
  const shop = await createWorkshop(40);
  const folderOf = (name: string) => join(shop.repository, ".codefudge", "runs", name);
  const train = (name: string) => {
    const size = ["--max_steps", "2", "--save_steps", "1", "--max_length", "256", "--threads", "1"];
    const what = ["--model", shop.model, "--adapter", "lora[r=2, target_modules=q_proj]"];
    return run(["train", "--quiet", ...what, ...size, "--run", name], { cwd: shop.repository });
  };
  const result = (name: string) => {
    const files = ["adapter_model.safetensors", "adapterhub/codefudge/pytorch_adapter.bin"];
    return files.map((file) => readFileSync(join(folderOf(name), file)));
  };
  const { calls, value: calm } = await withFailure(Infinity, "ENOSPC", () => train("calm"));
  assert.equal(calm.code, 0, calm.stderr);
  const every = EVERY === 1 ? 1 : Math.ceil(calls / 5);
  for (let failing = 1; failing <= calls; failing += every) {
    const name = `full-${failing}`;
    const { value: broken } = await withFailure(failing, "ENOSPC", () => train(name));
    assert.match(broken.stderr, /no space left on the disk/, `call ${failing} of ${calls}`);
    assert.equal(broken.code, 1);
    const again = await train(name);
    assert.equal(again.code, 0, `call ${failing}: ${again.stderr}`);
    assert.deepEqual(result(name), result("calm"), `call ${failing}`);
    assert.deepEqual(listFiles(folderOf(name)), listFiles(folderOf("calm")), `call ${failing}`);
    rmSync(folderOf(name), { recursive: true });
  }
  shop.dispose();
});

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

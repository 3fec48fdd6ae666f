// By hand: `node --import tsx test/continuing.ts REPOSITORY MODEL FOLDER [STEPS] [THREADS]`. A run on a repository's
// older commits is continued on its newest 200, with the share of old examples and without, and held-out loss is
// measured before and after, on examples of the newest commits and on older ones, neither ever trained. Ctrl-C stops it
// between two steps; the same command goes on. Prints one line of JSON for each run.

import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { openAdapter } from "../src/adapters/open.ts";
import { type Fitting, type Packed, renderFitting } from "../src/dataset/fitting.ts";
import { formats } from "../src/dataset/format.ts";
import type { Rendered } from "../src/dataset/render.ts";
import { createDatasetWriter, hasManifest, readExamples, readManifest } from "../src/dataset/store.ts";
import { type Measured, meanWithBootstrap } from "../src/evaluation/metrics.ts";
import { openBase } from "../src/generation/base.ts";
import { targetCount } from "../src/training/batch.ts";
import { sequenceLosses } from "../src/training/loss.ts";
import { openNetwork } from "../src/training/network.ts";
import { git } from "./repository.ts";
import { run } from "./tiny.ts";

const [repository, model, given, steps = "60", threads = "0"] = process.argv.slice(2);
const work = resolve(given!);
const NEWEST = 200;
/** Of the newest commits, those that are held out; and of all, old examples that take part. */
const [HELD_OUT, OLD_EXAMPLES] = [100, 2000];
/** Tokens of an example: short ones are trained, so that it is done in minutes; longer ones are measured too. */
const LENGTHS = { trained: 256, measured: 512 } as const;
/** Held-out examples of either age that are measured, at most. */
const MEASURED = 40;

const abort = new AbortController();
process.once("SIGINT", () => abort.abort(new Error("Interrupted")));
const signal = abort.signal;

const here = (name: string) => join(work, name);
const clone = here("repository");
const gitOf = async (...tokens: string[]) => (await git(tokens, { cwd: clone })).trim();

async function command(...tokens: string[]): Promise<void> {
  const { code, stdout, stderr } = await run(tokens, { cwd: clone, signal });
  if (code === 130) process.exit(130);
  if (code !== 0) throw new Error(`${tokens.join(" ")}\n${stderr}${stdout}`);
}

/** The datasets `a`, of the older commits alone, and `b`, of all, whose held-out examples are of the newest commits. */
async function prepare(): Promise<void> {
  // An earlier start may have been stopped with the branch moved.
  rmSync(clone, { recursive: true, force: true });
  execFileSync("git", ["clone", "-q", "-n", resolve(repository!), clone]);
  const head = await gitOf("rev-parse", "HEAD");
  const branch = await gitOf("symbolic-ref", "HEAD");
  // Every ref is read: one that stayed would bring the newest commits along.
  for (const ref of (await gitOf("for-each-ref", "--format=%(refname)")).split("\n")) {
    if (ref !== branch) await gitOf("update-ref", "--no-deref", "-d", ref);
  }
  const old = await olderThan(head);
  await gitOf("update-ref", branch, old);
  await command("history", "--output", here("a"), "--validation_share", "0.01", "--test_share", "0.01");
  await gitOf("update-ref", branch, head);
  const since = await gitOf("log", "-1", `--skip=${HELD_OUT - 1}`, "--format=%cI", head);
  await command("history", "--output", here("b"), "--test_since", since, "--validation_share", "0.001");
  writeParts();
}

/** The first parent with 200 commits behind it. */
async function olderThan(head: string): Promise<string> {
  for (const commit of (await gitOf("rev-list", "--first-parent", head)).split("\n")) {
    if (Number(await gitOf("rev-list", "--count", `${commit}..${head}`)) >= NEWEST) return commit;
  }
  throw new Error(`Expected ${NEWEST} commits in ${repository}`);
}

/** `before`: the newest of what is old. `after`: the same and what is new; what was held out before stays so. */
function writeParts(): void {
  const old = [...readExamples(here("a"), "train")].slice(-OLD_EXAMPLES);
  const heldOut = [...readExamples(here("a"), "validation"), ...readExamples(here("a"), "test")];
  const known = new Set([...readExamples(here("a"), "train"), ...heldOut].map(({ commit }) => commit));
  const fresh = [...readExamples(here("b"), "train")].filter(({ commit }) => !known.has(commit));
  const newest = [...readExamples(here("b"), "test")];
  write("before", { train: old, validation: heldOut });
  write("after", { train: [...old, ...fresh], validation: newest });
  process.stderr.write(
    `${old.length} old and ${fresh.length} new examples; held out ${heldOut.length} and ${newest.length}\n`,
  );
}

type Examples = ReturnType<typeof readExamples> extends Generator<infer T> ? readonly T[] : never;

function write(name: string, parts: { readonly train: Examples; readonly validation: Examples }): void {
  const writer = createDatasetWriter(here(name));
  for (const example of parts.train) writer.write("train", example);
  for (const example of parts.validation) writer.write("validation", example);
  writer.finish(readManifest(here("b")));
}

async function train(name: string, dataset: string, ...options: string[]): Promise<void> {
  const max_steps = String(Number(steps) * (name === "base" ? 6 : 1));
  const size = ["--max_length", String(LENGTHS.trained), "--max_steps", max_steps, "--threads", threads];
  const pace = ["--save_steps", "5", "--max_eval_samples", "8", "--no-load_best_model_at_end"];
  const run = ["--run", here(name), ...size, ...pace, "--early_stopping_patience", "0"];
  await command("train", here(dataset), ...run, ...options);
}

const itemOf = (rendered: Rendered, { examples }: Packed) => ({ rendered, commit: examples[0]!.commit });

async function rendered<T>(rendering: AsyncGenerator<number, Fitting<T>>): Promise<readonly T[]> {
  for (;;) {
    const next = await rendering.next();
    if (next.done) return next.value.items;
  }
}

/** Nats a target of held-out answers, with the interval over commits. */
async function measure(name: string | null, dataset: string) {
  const base = openBase(model!);
  const { tokenizer, read } = base;
  const adapter = name === null ? null : openAdapter(here(name), base);
  const engine = openNetwork({
    ...{ model: base.model, read, adapter, trainable: "none" },
    device: { threads: Number(threads) || 2, arena: true },
  });
  const rule = {
    tokenizer,
    format: formats.region,
    max_length: LENGTHS.measured,
    max_files: 4,
    purpose: "measure",
  } as const;
  const items = await rendered(renderFitting(readExamples(here(dataset), "validation"), rule, itemOf));
  const share = Math.min(1, MEASURED / items.length);
  const picked = items.filter((_, i) => Math.floor((i + 1) * share) > Math.floor(i * share));
  const sequences = picked.map(({ rendered }) => rendered);
  const losses = await sequenceLosses(engine, sequences, signal);
  await engine.dispose();
  base.source.dispose();
  const measured: Measured[] = picked.map(({ commit, rendered }, i) => {
    const weight = targetCount(rendered);
    return { commit, value: losses[i]! / weight, weight };
  });
  const { mean, low, high } = meanWithBootstrap(measured, { seed: 1, samples: 1000 });
  return { examples: picked.length, loss: mean, low, high };
}

if (!hasManifest(here("after"))) await prepare();
await train("base", "before", "--model", model!);
const onward = ["--continue_from", here("base")];
await train("with-share", "after", ...onward);
await train("without", "after", ...onward, "--old_share", "0");
for (const name of [null, "base", "with-share", "without"]) {
  const [newest, older] = [await measure(name, "after"), await measure(name, "before")];
  const examples =
    name === null ? undefined : JSON.parse(readFileSync(join(here(name), "run.json"), "utf8")).examples;
  process.stdout.write(`${JSON.stringify({ run: name, newest, older, examples })}\n`);
}

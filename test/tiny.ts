// For tests only: a repository small enough and a Llama small enough that a whole training run takes seconds, and
// the command line run inside this process or as one of its own.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { runCli, type World } from "../src/cli/run.ts";
import { readExamples } from "../src/dataset/store.ts";
import { createSample } from "../src/history/sample.ts";
import { createModel } from "../src/models/table.ts";
import { trainBpe } from "../src/tokenizer/train.ts";
import { initialWeights } from "../src/training/initial.ts";
import { writeModelFolder } from "../src/weights/folder.ts";

export type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a command line in this process. */
export async function run(tokens: readonly string[], world: Partial<World> = {}): Promise<Outcome> {
  const seen = { stdout: "", stderr: "" };
  const code = await runCli(tokens, {
    stdout: { write: (text) => (seen.stdout += text) },
    stderr: { write: (text) => (seen.stderr += text) },
    stdin: (async function* () {})(),
    env: {},
    cwd: tmpdir(),
    signal: new AbortController().signal,
    version: "0.0.0",
    ...world,
  });
  return { code, ...seen };
}

const ROOT = fileURLToPath(new URL("..", import.meta.url));

export type Child = {
  readonly pid: number;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Stops reading what it prints to stdout, as `head` does. */
  readonly leave: () => void;
  /** Waits until it has told of so many training steps (with --json), or has ended. */
  readonly steps: (count: number) => Promise<void>;
  readonly done: Promise<Outcome & { readonly signal: NodeJS.Signals | null; readonly seconds: number }>;
};

type Preloaded = { readonly path: string; readonly env: Readonly<Record<string, string>> };

/** Runs a command line as a process of its own, from the sources; `first` is loaded before it. */
export function start(tokens: readonly string[], cwd: string, first?: Preloaded): Child {
  const began = performance.now();
  const imports = [import.meta.resolve("tsx"), ...(first ? [first.path] : [])];
  const before = imports.flatMap((path) => ["--import", path]);
  const env = { ...process.env, ...first?.env };
  const child = spawn(process.execPath, [...before, join(ROOT, "src/cli/main.ts"), ...tokens], { cwd, env });
  const seen = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (seen.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (seen.stderr += chunk.toString()));
  const done = new Promise<Awaited<Child["done"]>>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) =>
      resolve({ code: code ?? -1, signal, seconds: (performance.now() - began) / 1000, ...seen }),
    );
  });
  const steps = async (count: number) => {
    const enough = () => seen.stdout.split('{"type":"step"').length > count;
    let ended = false;
    void done.then(() => {
      ended = true;
    });
    while (!enough() && !ended) await sleep(5);
  };
  return {
    pid: child.pid!,
    kill: (signal) => void child.kill(signal),
    leave: () => void child.stdout.destroy(),
    steps,
    done,
  };
}

/**
 * Runs a training twice, undisturbed and killed with `kill -9` after each of so many steps, started again each time; fails
 * unless both end well and the last start goes on from a checkpoint.
 */
export async function runCalmAndKilled(
  startAs: (kind: "calm" | "killed") => Child,
  kills: readonly number[],
): Promise<void> {
  const calm = await startAs("calm").done;
  assert.equal(calm.code, 0, calm.stderr);
  for (const steps of kills) {
    const child = startAs("killed");
    await child.steps(steps);
    child.kill("SIGKILL");
    assert.equal((await child.done).signal, "SIGKILL");
  }
  const last = await startAs("killed").done;
  assert.equal(last.code, 0, last.stderr);
  const begun = last.stdout.split("\n").find((line) => line.startsWith('{"type":"started"'))!;
  assert.ok(JSON.parse(begun).step > 0, "the last start goes on from a checkpoint");
}

export type Workshop = {
  readonly folder: string;
  /** With 60 commits, harvested. */
  readonly repository: string;
  readonly dataset: string;
  /** A Llama folder with a tokenizer of the repository. */
  readonly model: string;
  dispose(): void;
};

/** A temporary folder with the repository, its dataset and the model. */
export async function createWorkshop(commits = 60): Promise<Workshop> {
  const folder = mkdtempSync(join(tmpdir(), "codefudge-test-"));
  const repository = join(folder, "repository");
  await createSample(repository, { commits });
  const { code, stderr } = await run(["history"], { cwd: repository });
  if (code !== 0) throw new Error(stderr);
  const dataset = join(repository, ".codefudge", "dataset");
  const model = join(folder, "tiny");
  writeTinyModel(model, dataset);
  return {
    folder,
    repository,
    dataset,
    model,
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const CONFIG = {
  model_type: "llama",
  architectures: ["LlamaForCausalLM"],
  hidden_act: "silu",
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 16,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  max_position_embeddings: 512,
  tie_word_embeddings: false,
} as const;

function writeTinyModel(path: string, dataset: string): void {
  const texts = [...readExamples(dataset, "train")].map(({ old, diff }) => `${old ?? ""}${diff}`);
  const tokenizer = trainBpe(texts, { vocabSize: 512, specialTokens: ["<|end|>"] });
  const config = { ...CONFIG, vocab_size: tokenizer.vocabSize, eos_token_id: tokenizer.eosId };
  const arrays = initialWeights(createModel(config), 1);
  writeModelFolder(path, { config, arrays, tokenizerFiles: tokenizer.files() });
}

/** Every file below a folder with no dot in front, by path. */
export function listFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1))
    .sort();
}

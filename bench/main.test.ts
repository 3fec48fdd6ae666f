// The runner as a person starts it: real runs of a tiny shape, and peers that are small scripts of this test.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

const folder = mkdtempSync(join(tmpdir(), "codefudge-bench-test-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function bench(...args: string[]) {
  const main = join(import.meta.dirname, "main.ts");
  const ran = spawnSync(process.execPath, ["--import=tsx", main, ...args], { encoding: "utf8" });
  return { ...ran, last: () => JSON.parse(ran.stdout.trimEnd().split("\n").at(-1)!) };
}

/** An environment whose interpreter is a Node script that is given the job and prints samples. */
function fakeVenv(name: string, script: string): string {
  const venv = join(folder, name);
  mkdirSync(join(venv, "bin"), { recursive: true });
  const python = join(venv, "bin", "python");
  const head = `#!${process.execPath}\nconst job = JSON.parse(process.argv.at(-1));\n`;
  writeFileSync(python, head + script);
  chmodSync(python, 0o755);
  return venv;
}

const TINY = ["--shape", "tiny", "--runs", "1", "--steps", "1"];
const TRAIN = ["train", ...TINY, "--length", "32", "--targets", "8"];
const GENERATE = ["generate", ...TINY, "--prompt", "20", "--tokens", "4"];

test("the list names every bench with its options", () => {
  const { status, stdout } = bench("--list");
  assert.equal(status, 0);
  const names = stdout.split("\n").flatMap((line) => /^([\w-]+) /.exec(line)?.[1] ?? []);
  assert.deepEqual(names, [
    "generate",
    "half-billion",
    "history",
    "long",
    "memory",
    "packing",
    "seq2seq",
    "train",
  ]);
  assert.match(stdout, /--runs N +Times that each side is measured, in turn \[5\]/);
});

test("a bench without a peer says how to add one, and measures ourselves", () => {
  const { status, stderr, last } = bench(...TRAIN);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /no peer was measured; .* give --venv DIR/);
  const { name, value, unit, peer, peer_value, ratio, peak_rss_bytes, runs, machine } = last();
  assert.deepEqual([name, unit, peer, peer_value, ratio, runs], ["train", "tokens/s", null, null, null, 1]);
  assert.ok(value > 0 && peak_rss_bytes > 20e6 && machine.cores > 0);
});

test("--picture draws a file of results, and says what it wants where there is none", () => {
  const file = join(folder, "results.jsonl");
  const machine = { cpu: "a processor", cores: 2, date: "2026-11-23" };
  writeFileSync(
    file,
    `${JSON.stringify({ name: "train", value: 12, unit: "tokens/s", peer: null, machine })}\n`,
  );
  const drawn = bench("--picture", file);
  assert.equal(drawn.status, 0, drawn.stderr);
  assert.match(drawn.stdout, /^<svg .*>12<.*<\/svg>\n$/s);
  const missing = bench("--picture", join(folder, "none"));
  assert.equal(missing.status, 2);
  assert.match(
    missing.stderr,
    /^Expected --picture FILE, a file of lines that benches printed, found .*none\n$/,
  );
});

test("the fastest mode of the peer is the peer, and the others are kept", () => {
  const venv = fakeVenv(
    "train",
    `const tokens_per_second = { "f32 checkpointing": 3, "bf16 autocast": 4 }[job.mode] ?? 2;
     console.log("a line that is no sample");
     for (const loss of [1, 2, 9]) console.log(JSON.stringify({ tokens_per_second, loss, peak_rss_bytes: 5 }));`,
  );
  const { status, stderr, last } = bench(...TRAIN, "--json", "--venv", venv);
  assert.deepEqual([status, stderr], [0, ""]);
  const { value, peer, peer_value, ratio, modes, theirs } = last();
  assert.deepEqual([peer, peer_value, theirs.loss], ["PyTorch + PEFT, bf16 autocast", 4, 2]);
  assert.ok(Math.abs(ratio - value / 4) < 1e-3 * ratio, String(ratio));
  assert.deepEqual(
    Object.entries<{ tokens_per_second: number }>(modes).map(([mode, figures]) => [
      mode,
      figures.tokens_per_second,
    ]),
    [
      ["f32", 2],
      ["f32 checkpointing", 3],
      ["bf16 autocast", 4],
      ["bf16 autocast checkpointing", 2],
      ["bf16 weights", 2],
      ["bf16 weights checkpointing", 2],
    ],
  );
});

test("prefill and decoding are two figures of the same runs", () => {
  const sample = "{ prefill: 50, decoding: job.mode === 'f32' ? 9 : 8, peak_rss_bytes: 5 }";
  const venv = fakeVenv("generate", `console.log(JSON.stringify(${sample}));`);
  const { status, stderr, last } = bench(...GENERATE, "--venv", venv);
  assert.equal(status, 0, stderr);
  const { value, peer, peer_value, prefill } = last();
  assert.deepEqual([peer, peer_value, prefill.peer_value], ["transformers, f32", 9, 50]);
  assert.ok(value > 0 && prefill.value > 0);
});

test("an encoder and a decoder: the versions of the peer are told, and the check of our products", () => {
  const tiny = ["seq2seq", ...TINY, "--length", "48", "--targets", "16"];
  const own = bench(...tiny);
  assert.equal(own.status, 0, own.stderr);
  assert.match(own.stderr, /requirements-seq2seq\.txt, and give --venv DIR/);
  const { value, ours } = own.last();
  assert.ok(value > 0 && ours.cosine > 0.985 && ours.cosine < 1, JSON.stringify(ours));
  const script = `if (Array.isArray(job)) console.log(job[0] + " 1.3.0");
     else console.log(JSON.stringify({ tokens_per_second: job.targets, peak_rss_bytes: 5 }));`;
  const { stderr, last } = bench(...tiny, "--venv", fakeVenv("seq2seq", script));
  assert.deepEqual([last().peer_value, last().versions], [16, "adapters 1.3.0"], stderr);
});

test("a side that fails is a sentence with what it said, and exit code 1", () => {
  const venv = fakeVenv("broken", `console.error("no torch here"); process.exit(3);`);
  const { status, stdout, stderr } = bench(...TRAIN, "--venv", venv);
  assert.deepEqual([status, stdout], [1, ""]);
  assert.match(stderr, /^Expected a measurement from .*, found exit 3: no torch here$/m);
  assert.match(
    bench(...TRAIN, "--venv", folder).stderr,
    /^Expected a Python environment in --venv, found no bin\/python in .*$/m,
  );
});

test("an unknown bench is answered with the names and exit code 2", () => {
  const { status, stdout, stderr } = bench("tran", "--runs=2");
  assert.deepEqual([status, stdout], [2, ""]);
  assert.match(
    stderr,
    /one of the names generate, half-billion, history, long, memory, packing, seq2seq, train.*found "tran --runs=2"; did you mean train\?$/m,
  );
});

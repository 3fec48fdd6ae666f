// Medians, turns, and a child measured by the system.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { interleave, median, readPeak, runChild } from "./measure.ts";

test("the median of an odd and an even number of values", () => {
  assert.equal(median([5, 1, 3]), 3);
  assert.equal(median([4, 1, 10, 2]), 3);
  assert.throws(() => median([]), /at least one value/);
});

test("arms take turns, each round starting with another", async () => {
  const order: string[] = [];
  const arm = (name: string) => async () => order.push(name);
  const outcomes = await interleave({ a: arm("a"), b: arm("b"), c: arm("c") }, 3);
  assert.equal(order.join(""), "abcbcacab");
  assert.deepEqual(outcomes.b, [2, 4, 9]);
});

test("a child's time and peak memory are the child's, not ours", async () => {
  const held = Buffer.alloc(200e6, 1);
  const script = "const held = Buffer.alloc(60e6, 1); console.log(held.length)";
  const ran = await runChild(process.execPath, ["-e", script]);
  assert.deepEqual([ran.exitCode, ran.stdout, ran.stderr], [0, "60000000\n", ""]);
  if (existsSync("/usr/bin/time")) {
    assert.ok(ran.peakRssBytes! > 60e6 && ran.peakRssBytes! < held.length, String(ran.peakRssBytes));
  }
});

test("the reports of GNU time and of macOS", () => {
  assert.equal(readPeak("\tMaximum resident set size (kbytes): 2048\n"), 2097152);
  assert.equal(readPeak("        1.00 real\n   3072000  maximum resident set size\n"), 3072000);
  assert.equal(readPeak("nothing"), null);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseValue } from "../base/options.ts";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatLarge,
  formatPercent,
  formatRate,
  formatSpan,
} from "./units.ts";

test("sizes are decimal with three digits", () => {
  assert.deepEqual([0, 999, 1500, 24e6, 2.25e9].map(formatBytes), [
    "0 B",
    "999 B",
    "1.5 kB",
    "24 MB",
    "2.25 GB",
  ]);
});

test("durations change unit where a person would", () => {
  assert.deepEqual([0.04, 9.96, 59.4, 59.6, 65, 3599.6, 7620].map(formatDuration), [
    "0.0 s",
    "10.0 s",
    "59 s",
    "1 min 00 s",
    "1 min 05 s",
    "1 h 00 min",
    "2 h 07 min",
  ]);
});

test("what is printed as a default, an option reads back", () => {
  const duration = { type: "duration", default: null, help: "" } as const;
  for (const seconds of [1, 90, 1200, 3600, 5400, 3660]) {
    assert.equal(parseValue("time", duration, formatSpan(seconds)), seconds);
  }
  const bytes = { type: "bytes", default: null, help: "" } as const;
  for (const size of [5e5, 8e8, 2e9]) assert.equal(parseValue("memory", bytes, formatBytes(size)), size);
});

test("counts, rates and shares", () => {
  assert.deepEqual([0.4216, 99.96, 1234.5].map(formatCount), ["0.422", "100", "1,235"]);
  assert.equal(formatRate(1234, "tokens"), "1,234 tokens/s");
  assert.equal(formatPercent(0.125), "12.5 %");
  assert.deepEqual([0, 840, 134_515_008, 1.54e9].map(formatLarge), ["0", "840", "135 M", "1.54 G"]);
});

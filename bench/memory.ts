// The training step of bench `train` in budgets from small to large, as long as each allows: what was predicted, what was
// used, how fast it was.

import { compare, ourSide } from "./arms.ts";
import type { Bench, BenchResult, BenchSetup } from "./measure.ts";
import { jobOf, trainOptions } from "./train.ts";

const BUDGETS = [0.6e9, 1e9, 2e9, 4e9];

export const bench: Bench = {
  name: "memory",
  summary: "the same in 0.6, 1, 2 and 4 GB: peak memory over budget, of the worst",
  options: trainOptions({ shape: "smollm2-135m", length: 512, memory: 0, steps: 2 }),
  takes: null,
  runs: 1,
  run: runMemory,
};

async function runMemory(setup: BenchSetup): Promise<BenchResult> {
  const budgets: Record<string, BenchResult> = {};
  let worst = 0;
  for (const memory of BUDGETS) {
    setup.log(`  ${memory / 1e9} GB`);
    const ours = ourSide("train", { ...jobOf(setup), length: null, memory });
    const work = `within ${memory / 1e9} GB`;
    const result = await compare(
      { figure: "tokens_per_second", unit: "tokens/s", work, ours, peer: null },
      setup,
    );
    budgets[memory] = result;
    worst = Math.max(worst, result.peak_rss_bytes! / memory);
  }
  const most = Math.max(...Object.values(budgets).map(({ peak_rss_bytes }) => peak_rss_bytes!));
  const rest = { peer: null, peer_value: null, peak_rss_bytes: most, details: { budgets } };
  return { value: worst, unit: "of the budget", ...rest };
}

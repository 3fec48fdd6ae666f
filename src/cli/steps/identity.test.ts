// What makes a run another one, in words that a person could have typed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { adapterConfig, adapterOptions } from "../../adapters/options.ts";
import { UserError } from "../../base/errors.ts";
import { defaultsOf } from "../../base/options.ts";
import { resolveOptions, type TrainOptions, trainOptions } from "../../training/options.ts";
import { planOf, requireSame } from "./identity.ts";
import type { TrainJob } from "./job.ts";

const defaults = defaultsOf(trainOptions);

function planWith(options: Partial<TrainOptions> = {}, job: Partial<TrainJob> = {}, dataset_sha256 = "data") {
  const all = { ...defaults, ...options };
  const made: TrainJob = {
    dataset: "/repo/.codefudge/dataset",
    run: "/repo/.codefudge/runs/one",
    model: "/models/small",
    format: "region",
    max_files: 4,
    adapter: adapterConfig(defaultsOf(adapterOptions)),
    options: all,
    continues: null,
    extend_tokenizer: null,
    recipe: null,
    restart: false,
    dry_run: false,
    version: "0.0.0",
    ...job,
  };
  const resolved = resolveOptions(all, "adapter");
  return planOf({
    job: made,
    kind: "adapter",
    options: resolved,
    dataset_sha256,
    base: "b",
    base_sha256: "base",
  });
}

function refusal(
  earlier: ReturnType<typeof planWith>,
  now: ReturnType<typeof planWith>,
  finished = false,
): string {
  try {
    requireSame("/repo/.codefudge/runs/one", { ...earlier, finished }, now);
  } catch (error) {
    assert.ok(error instanceof UserError);
    return error.message;
  }
  return "";
}

test("how often a run is saved and told of does not make it another one", () => {
  const now = planWith({ save_steps: 7, save_total_limit: 3, report_to: "none" });
  assert.equal(now.identity, planWith().identity);
  assert.equal(refusal(planWith(), now), "");
  assert.notEqual(planWith({ seed: 1 }).identity, now.identity);
});

test("a difference is told as it would be typed, and what was not given is called so", () => {
  const five = planWith({ max_steps: 5, time: 1200, memory: 2e9 });
  const message = refusal(five, planWith());
  assert.match(
    message,
    /--max_steps not given instead of 5, --time not given instead of 20m, --memory not given instead of 2GB/,
  );
  assert.match(refusal(planWith(), five), /--max_steps 5 instead of not given/);
  assert.doesNotMatch(message, /-1/);
});

test("an adapter's options differ by their names", () => {
  const other = adapterConfig({ ...defaultsOf(adapterOptions), r: 4 });
  assert.match(
    refusal(planWith(), planWith({}, { adapter: other })),
    /found --r 4 instead of 8; add --run NAME/,
  );
});

test("a finished run of an older history can be continued, and the sentence says so", () => {
  const [earlier, now] = [planWith(), planWith({}, {}, "newer")];
  assert.match(refusal(earlier, now, true), /another dataset .*; add --continue_from one to go on from it/);
  assert.doesNotMatch(refusal(earlier, now, false), /continue_from/);
});

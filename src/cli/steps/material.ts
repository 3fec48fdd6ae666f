// What a run learns from and is measured on: examples rendered into ids, those left out counted, and everything that
// can be wrong with them found before the first step.

import { UserError } from "../../base/errors.ts";
import type { FitRule } from "../../dataset/fitting.ts";
import { readExamples } from "../../dataset/store.ts";
import type { Tokenizer } from "../../tokenizer/tokenizer.ts";
import type { Plan } from "../../training/plan.ts";
import { formatBytes, formatCount } from "../units.ts";
import { ofCommits, oldCount, readCommits, selectCommits } from "./continuing.ts";
import type { Face } from "./face.ts";
import type { TrainJob } from "./job.ts";
import { type RenderedItem, renderStep } from "./render.ts";

export type Material = {
  readonly train: readonly RenderedItem[];
  readonly validation: readonly RenderedItem[];
  /** Examples that the continued run knows, measured and not trained. */
  readonly older: readonly RenderedItem[];
  /** Of those trained, how many the continued run has seen. */
  readonly old: number;
  readonly tooLong: number;
};

type Rule = Omit<FitRule, "purpose">;

/** Renders what a job trains on. */
export async function gatherMaterial(job: TrainJob, rule: Rule, face: Face): Promise<Material> {
  const validation = await renderStep(
    readExamples(job.dataset, "validation"),
    { ...rule, purpose: "measure" },
    face,
  );
  const parts = job.continues ? await continued(job, rule, face) : await afresh(job, rule, face);
  const material = { ...parts, validation: validation.items };
  requireExamples(material, rule.max_length);
  for (const items of [material.train, material.validation, material.older])
    requireWhole(items, rule.tokenizer);
  return material;
}

type Trained = Omit<Material, "validation">;

async function afresh({ dataset }: TrainJob, rule: Rule, face: Face): Promise<Trained> {
  const { items, tooLong } = await renderStep(
    readExamples(dataset, "train"),
    { ...rule, purpose: "train" },
    face,
  );
  return { train: items, older: [], old: 0, tooLong };
}

async function continued(
  { dataset, continues, options }: TrainJob,
  rule: Rule,
  face: Face,
): Promise<Trained> {
  const { folder, old_share } = continues!;
  const known = readCommits(folder);
  const choice = { known, folder, seed: options.seed };
  const { fresh, old, measured } = selectCommits(readExamples(dataset, "train"), choice);
  const render = (purpose: FitRule["purpose"], commits: ReadonlySet<string>) =>
    renderStep(ofCommits(readExamples(dataset, "train"), commits), { ...rule, purpose }, face);
  const { items, tooLong } = await render("train", fresh);
  const wanted = oldCount(items.length, old_share);
  const again = await firstOf(old, wanted, (commits) => render("train", commits));
  const older = await render("measure", measured);
  return { train: [...items, ...again], older: older.items, old: again.length, tooLong };
}

/** The first so many examples of some commits that fit; only rendering tells which do. */
async function firstOf(
  commits: readonly string[],
  wanted: number,
  render: (commits: ReadonlySet<string>) => Promise<{ readonly items: readonly RenderedItem[] }>,
): Promise<readonly RenderedItem[]> {
  const found: RenderedItem[] = [];
  for (let at = 0; at < commits.length && found.length < wanted; ) {
    const next = commits.slice(at, at + wanted - found.length);
    at += next.length;
    found.push(...(await render(new Set(next))).items);
  }
  return found.slice(0, wanted);
}

function requireExamples({ train, tooLong }: Material, max_length: number): void {
  if (train.length > 0) return;
  throw new UserError(
    tooLong > 0
      ? `Expected training examples of at most ${max_length} tokens, found ${tooLong} that are all longer; give a larger --max_length, or --max_out_len where that was set`
      : "Expected training examples, found none in the dataset; a repository with more changes to text files is needed",
  );
}

/** An answer that was cut has no end, and who learns from it never ends. */
function requireWhole(items: readonly RenderedItem[], { eosId }: Tokenizer): void {
  const cut = items.filter(({ rendered: { ids } }) => ids.at(-1) !== eosId);
  if (cut.length === 0) return;
  throw new UserError(
    `Expected every answer whole, with the end token ${eosId} behind it, found ${cut.length} of ${items.length} without, the first is ${cut[0]!.name}; make the dataset again with codefudge history`,
  );
}

/** Says what will be trained. */
export function sayMaterial({ train, old, tooLong }: Material, plan: Plan, { progress }: Face): void {
  const tokens = train.reduce((n, { rendered }) => n + rendered.ids.length, 0);
  const known = old > 0 ? ` (${formatCount(old)} of them seen before)` : "";
  progress.line(
    `${formatCount(train.length)} training examples${known}, ${formatCount(tokens)} tokens; ` +
      `${formatCount(tooLong)} longer than ${formatCount(plan.max_length)} tokens are left out; ` +
      `memory about ${formatBytes(plan.memory)}`,
  );
  if (tooLong > train.length) {
    progress.warn("Most examples are left out: a larger --max_length or --max_out_len takes more of them");
  }
}

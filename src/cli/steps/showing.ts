// Shows what a run writes: one held-out request with the diff written for it, held against git itself.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { makeFolder } from "../../base/files.ts";
import type { Example } from "../../dataset/example.ts";
import { readExamples } from "../../dataset/store.ts";
import type { Written } from "../../evaluation/evaluate.ts";
import { runGit } from "../../history/git.ts";
import type { RunManifest } from "../run-folder.ts";
import type { Face } from "./face.ts";

type Job = { readonly folder: string; readonly run: RunManifest; readonly sample: boolean };

/** Prints the newest held-out request whose answer was exact, or else applied, and its diff. */
export async function showExample({ folder, run, sample }: Job, face: Face): Promise<void> {
  const answers = readFileSync(join(folder, "answers.jsonl"), "utf8").split("\n").filter(Boolean);
  const trained = answers
    .map((line) => JSON.parse(line) as Written & { arm: string })
    .filter((item) => item.arm === "trained");
  const best = trained.findLast((item) => item.exact) ?? trained.findLast((item) => item.applied);
  if (!best || best.diff === null) {
    face.progress.warn(
      "No held-out request got a change that applies; more history, time or a larger base would help",
    );
    return;
  }
  const taken = await gitTakes(best.diff, findExamples(run.dataset, best));
  if (face.json) {
    face.out.json({
      commit: best.commit,
      paths: best.paths,
      message: best.message,
      diff: best.diff,
      git_apply_check: taken,
      exact: best.exact,
    });
    return;
  }
  const verdict = best.exact ? "what the commit really did" : "not what the commit did";
  const chosen = `the newest ${best.exact ? "answered exactly" : "whose diff applies"}`;
  const place = `commit ${best.commit.slice(0, 10)}, ${best.paths.join(", ")}`;
  face.out.line("");
  face.out.line(
    `Of ${trained.length} held-out requests${sample ? " of the sample" : ""}, ${chosen} (${place}):`,
  );
  face.out.line(`  ${best.message.trim().split("\n")[0]}`);
  face.out.line(`The diff written for it (git apply --check: ${taken ? "taken" : "refused"}; ${verdict}):`);
  face.out.line("");
  face.out.text(best.diff);
}

function findExamples(dataset: string, { commit, paths }: Written): readonly Example[] {
  const found: Example[] = [];
  for (const example of readExamples(dataset, "test")) {
    if (example.commit === commit && paths.includes(example.path)) found.push(example);
  }
  return found;
}

/** Whether `git apply --check` takes a diff on the files as they were. */
async function gitTakes(diff: string, examples: readonly Example[]): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "codefudge-check-"));
  try {
    for (const { path, old } of examples) {
      if (old === null) continue;
      makeFolder(dirname(join(folder, path)));
      writeFileSync(join(folder, path), old);
    }
    const { exitCode } = await runGit(["apply", "--check", "-"], { cwd: folder, input: diff });
    return exitCode === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

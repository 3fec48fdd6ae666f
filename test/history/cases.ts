// For tests only: histories of one case each, written to branches of their own in one repository, so that a case has
// its own root and no other case's files. Each says what becomes of its records, in the order of its commits.

import { join } from "node:path";
import { makeRepository, type Step } from "../repository.ts";
import { plainGit } from "./plain-git.ts";

export type Case = {
  readonly name: string;
  /** Without branches: `from` and `merge` count the case's own commits from 1. */
  readonly steps: readonly (Step & { readonly side?: string })[];
  /** `REASON PATH`, or `example PATH`, for each record of git: paths as they were before the change. */
  readonly becomes: readonly string[];
};

/** Commits at the end, for the splits to hold out, so that all cases stand in train. */
const HELD_OUT = 80;

export type CaseRepository = {
  readonly path: string;
  /** The case of each commit, by its place in the table; none for what is held out. */
  readonly caseOf: ReadonlyMap<string, number>;
};

/** Writes all cases into one repository. */
export async function makeCases(folder: string, cases: readonly Case[]): Promise<CaseRepository> {
  const steps: Step[] = [];
  for (const [i, { steps: own }] of cases.entries()) {
    const first = steps.length;
    for (const { side, from, merge, ...step } of own) {
      const branch = `case-${i}${side === undefined ? "" : `-${side}`}`;
      steps.push({
        ...step,
        branch,
        ...(from === undefined ? {} : { from: first + from }),
        ...(merge === undefined ? {} : { merge: first + merge }),
      });
    }
  }
  const path = await makeRepository(join(folder, "cases"), [...steps, ...heldOut(HELD_OUT)]);
  const listed = await plainGit(["log", "--branches", "--format=%H %S"], { cwd: path });
  const found = listed.split("\n").flatMap((line) => {
    const [, commit, number] = /^(\S+) case-(\d+)/.exec(line) ?? [];
    return commit === undefined ? [] : [[commit, Number(number)] as const];
  });
  return { path, caseOf: new Map(found) };
}

const WORDS = [
  "amber",
  "birch",
  "cedar",
  "delta",
  "ember",
  "fjord",
  "grove",
  "heath",
  "inlet",
  "jetty",
  "knoll",
];

/** Plain commits, no two of them alike: something to learn from and to hold out. */
export function heldOut(count: number): Step[] {
  return Array.from({ length: count }, (_, i) => {
    const word = (k: number) => WORDS[(i * (k + 3) + k * k) % WORDS.length]!;
    const lines = Array.from({ length: 8 }, (_, k) => `${word(k)} ${word(k + 5)} ${i * 97 + k * 31}\n`);
    return {
      message: `Write of ${word(1)} and ${word(4)} ${i}`,
      files: { [`notes/${word(2)}-${i % 7}.txt`]: lines.join("") },
    };
  });
}

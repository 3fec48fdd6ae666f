// What an evaluation has measured so far, in `evaluation.json` of the run's folder, so that one that was stopped goes
// on. It is for the same run, data, options and program, or for nothing; the report takes its place.

import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readJson, writeFileAtomic } from "../../base/files.ts";
import type { Known, Written } from "../../evaluation/evaluate.ts";

export const ARMS = ["untrained", "trained"] as const;
export type ArmName = (typeof ARMS)[number];

/** Figures of an arm by place: costs of answers in nats, and what was written. */
export type ArmState = { readonly losses: Map<number, number>; readonly written: Map<number, Written> };

export type EvaluationState = {
  readonly arms: Readonly<Record<ArmName, ArmState>>;
  /** Figures that an earlier start has left. */
  readonly found: number;
  /** Writes all figures, but not more often than every few seconds unless it must be `now`. */
  save(now: boolean): void;
  /** Removes the file. */
  done(): void;
};

const FILE = "evaluation.json";
const PAUSE_MS = 3000;

type Stored = {
  readonly key: string;
  readonly arms: Readonly<
    Record<ArmName, { readonly losses: [number, number][]; readonly written: [number, Written][] }>
  >;
};

/** The state of the evaluation that `key` names, empty where the folder has that of another one or none. */
export function openState(folder: string, key: string): EvaluationState {
  const path = join(folder, FILE);
  const stored = readStored(path, key);
  const arms = Object.fromEntries(
    ARMS.map((name) => {
      const { losses = [], written = [] } = stored?.arms[name] ?? {};
      return [name, { losses: new Map(losses), written: new Map(written) }];
    }),
  ) as Record<ArmName, ArmState>;
  let saved = performance.now();
  return {
    arms,
    found: ARMS.reduce((sum, name) => sum + arms[name].losses.size + arms[name].written.size, 0),
    save: (now) => {
      if (!now && performance.now() - saved < PAUSE_MS) return;
      writeFileAtomic(path, `${JSON.stringify(toStored(key, arms))}\n`);
      saved = performance.now();
    },
    done: () => rmSync(path, { force: true }),
  };
}

function toStored(key: string, arms: Readonly<Record<ArmName, ArmState>>): Stored {
  const list = <T>(figures: Known<T>): [number, T][] => [...figures];
  const part = ({ losses, written }: ArmState) => ({ losses: list(losses), written: list(written) });
  return { key, arms: { untrained: part(arms.untrained), trained: part(arms.trained) } };
}

function readStored(path: string, key: string): Stored | null {
  if (!existsSync(path)) return null;
  const stored = readJson(path) as Partial<Stored> | null;
  return stored?.key === key ? (stored as Stored) : null;
}

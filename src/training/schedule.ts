// Learning rate over time, as a factor of its peak. Formulas: transformers:src/transformers/optimization.py; the
// first step of a warm-up has a rate of 0.

export const scheduleNames = ["cosine", "linear", "constant_with_warmup", "constant"] as const;

export type ScheduleName = (typeof scheduleNames)[number];

export type Schedule = {
  readonly name: ScheduleName;
  readonly warmup_steps: number;
  readonly max_steps: number;
};

/** The factor at a step, counted from 0. */
export function scheduleFactor({ name, warmup_steps, max_steps }: Schedule, step: number): number {
  if (name === "constant") return 1;
  if (step < warmup_steps) return step / Math.max(1, warmup_steps);
  const left = Math.max(1, max_steps - warmup_steps);
  switch (name) {
    case "constant_with_warmup":
      return 1;
    case "linear":
      return Math.max(0, (max_steps - step) / left);
    case "cosine":
      return Math.max(0, 0.5 * (1 + Math.cos((Math.PI * (step - warmup_steps)) / left)));
  }
}

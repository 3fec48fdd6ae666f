// Work in turns, and a function of rows computed a part of them at a time: memory for one part is enough. Knows no model.

import { sizeOf } from "../base/dtype.ts";
import { add, apply, concat, detach, reshape, slice, split, withPullback } from "../graph/build.ts";
import { gradients } from "../graph/gradient.ts";
import { input, int64s, nodesOf, type Tensor } from "../graph/tensor.ts";

export type Turns = {
  readonly next: (tensors: readonly Tensor[]) => Tensor[];
  readonly done: <T extends Readonly<Record<string, Tensor>>>(made: T) => T;
};

/**
 * Work in turns: what begins one cannot be had before what the one before it made. A runtime that computes first what is
 * wanted first would else hold the scores of all tiles.
 */
export function createTurns(): Turns {
  let waits: readonly Tensor[] = [];
  return {
    next(tensors: readonly Tensor[]): Tensor[] {
      if (waits.length === 0) return [...tensors];
      const sizes = tensors.map(({ shape }) => sizeOf(shape));
      const parts = [...tensors.map((x, i) => reshape(x, [sizes[i]!])), ...waits];
      return split(concat(parts, 0), [...sizes, waits.length], 0)
        .slice(0, -1)
        .map((x, i) => reshape(x, tensors[i]!.shape));
    },
    done<T extends Readonly<Record<string, Tensor>>>(made: T): T {
      waits = Object.values(made).map((x) => {
        const axes = x.shape.map((_, axis) => axis);
        const one = apply("Slice", [x, int64s(axes.map(() => 0)), int64s(axes.map(() => 1)), int64s(axes)]);
        return reshape(one, [1]);
      });
      return made;
    },
  };
}

export type Staying = {
  /** Says which part f is asked for, and for which pass. */
  readonly begins: (part: number, pass: "forward" | "backward") => void;
  /** Gradients of that part, of what stayed instead of what was computed again. */
  readonly settled: (gradients: readonly Tensor[]) => readonly Tensor[];
};

type RowParts = {
  /** Rows of a part; fewer of the last one. */
  readonly rows: number;
  /** Names of the inputs that are trained. */
  readonly trained: ReadonlySet<string>;
  /** What of a part stays from one pass to the other. */
  readonly staying?: Staying;
};

/**
 * f(x) of a function that treats every row alike. On the way back each part is computed anew and differentiated before
 * the next one begins, so that nothing inside f is ever there for all rows.
 */
export function inRowParts(
  x: Tensor,
  f: (part: Tensor) => Tensor,
  { rows, trained, staying }: RowParts,
): Tensor {
  const count = x.shape[0]!;
  const ranges = Array.from({ length: Math.ceil(count / rows) }, (_, i) => {
    return [i * rows, Math.min(count, (i + 1) * rows)] as const;
  });
  if (ranges.length === 1) return f(x);
  const arrays = inputsOf(f(input("rows", "float32", [rows, ...x.shape.slice(1)])), trained);
  const y = concat(
    ranges.map((range, i) => {
      staying?.begins(i, "forward");
      return f(slice(x, 0, range));
    }),
    0,
  );
  const rule = (dy: Tensor) => {
    const turns = createTurns();
    let sums: readonly Tensor[] | null = null;
    const slopes = ranges.map((range, i) => {
      const [own, slope] = turns.next([slice(x, 0, range), slice(dy, 0, range)]) as [Tensor, Tensor];
      // What a part waits for is no way for a gradient.
      const part = detach(own);
      staying?.begins(i, "backward");
      const made = gradients([{ output: f(part), gradient: slope }], [part, ...arrays]);
      const [dx, ...given] = staying?.settled(made) ?? made;
      const before: readonly Tensor[] | null = sums;
      const now = before ? given.map((gradient, i) => add(before[i]!, gradient)) : given;
      sums = now;
      turns.done(Object.fromEntries([dx!, ...now].map((made, i) => [`${i}`, made])));
      return dx!;
    });
    return [concat(slopes, 0), ...(sums ?? [])];
  };
  return withPullback(y, { of: [x, ...arrays], rule });
}

/** Inputs of these names that a tensor is computed from. */
function inputsOf(y: Tensor, names: ReadonlySet<string>): Tensor[] {
  const found = new Map<string, Tensor>();
  for (const { inputs } of nodesOf([y])) {
    for (const from of inputs) {
      if (from.source.kind === "input" && names.has(from.source.name)) found.set(from.source.name, from);
    }
  }
  return [...found.values()];
}

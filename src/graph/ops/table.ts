// Every operator by name: the one table that the builder, the checker, the gradient test and the docs read.

import type { Op } from "../op.ts";
import { elementwise } from "./elementwise.ts";
import { linalg } from "./linalg.ts";
import { movement } from "./movement.ts";
import { neural } from "./neural.ts";
import { reduction } from "./reduction.ts";

export const ops: ReadonlyMap<string, Op> = new Map(
  [...elementwise, ...reduction, ...linalg, ...movement, ...neural].map((op) => [op.name, op]),
);

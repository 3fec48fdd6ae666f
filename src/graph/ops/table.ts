// Every operator by name: the one table that checker, differentiation, printer, ONNX writer and gradient test read.

import type { Op } from "../op.ts";
import { elementwise } from "./elementwise.ts";
import { LayerNormalization } from "./layer-norm.ts";
import { linalg } from "./linalg.ts";
import { movement } from "./movement.ts";
import { neural } from "./neural.ts";
import { quantized } from "./quantized.ts";
import { reduction } from "./reduction.ts";

export const ops: ReadonlyMap<string, Op> = new Map(
  [...elementwise, ...reduction, ...linalg, ...movement, ...neural, LayerNormalization, ...quantized].map(
    (op) => [op.name, op],
  ),
);

// An adapter made weaker or stronger (`adapter_scale`): 0 gives the base, 1 the adapter as trained. What is added is
// multiplied, what replaces something of the base moves between the two.

import type { Adapter, TrainedArray } from "./adapter.ts";
import { type BaseWeights, rowNorms } from "./create.ts";

const MAGNITUDE = ".lora_magnitude_vector";

/** A copy with its effect multiplied; the given one stays as it is. */
export function scaleAdapter<A extends Adapter>(
  { config, arrays }: A,
  factor: number,
  { read }: Pick<BaseWeights, "read">,
): Adapter<A["config"]> {
  return { config, arrays: new Map([...arrays].map(([name, array]) => [name, scaledArray(name, array)])) };

  function scaledArray(name: string, { shape, data }: TrainedArray): TrainedArray {
    if (/\.(lora_A\.weight|adapter_down\.(weight|bias))$/.test(name)) return { shape, data };
    if (/^invertible_adapters\.[FG]\.0\./.test(name)) return { shape, data };
    if (/\.(lora_B\.weight|adapter_up\.(weight|bias))$|^invertible_adapters\./.test(name)) {
      return { shape, data: data.map((value) => value * factor) };
    }
    const start = name.endsWith(MAGNITUDE)
      ? rowNorms(read(`${name.slice(0, -MAGNITUDE.length)}.weight`), shape[0]!)
      : read(name);
    return { shape, data: data.map((value, i) => start[i]! + factor * (value - start[i]!)) };
  }
}

// Whether this processor's eight-bit product is exact. On x86 without VNNI pairs of products are added in 16 bits and
// cut off there; weights of seven bits never get so far (onnxruntime:docs/performance/model-optimizations, "U8S8").

import { apply } from "../graph/build.ts";
import { writeProgram } from "../graph/onnx.ts";
import { constant, input, scalar } from "../graph/tensor.ts";
import { compile, createBuffer, type DeviceOptions } from "../runtime/device.ts";

const INNER = 64;

/** The largest weight that the product takes without being cut off: 127, or 63. */
export async function largestWeight(device: DeviceOptions): Promise<number> {
  const a = input("a", "uint8", [1, INNER]);
  const b = input("b", "int8", [INNER, 16]);
  const ones = constant("float32", [16], new Float32Array(16).fill(1));
  const zero = constant("uint8", [], Uint8Array.of(0));
  const y = apply("MatMulIntegerToFloat", [a, b, scalar(1), ones, zero]);
  const executable = await compile(writeProgram("saturation", { y }), device);
  try {
    const feeds = {
      a: createBuffer("uint8", [1, INNER], new Uint8Array(INNER).fill(255)),
      b: createBuffer("int8", [INNER, 16], new Int8Array(INNER * 16).fill(127)),
    };
    const { data } = (await executable.run(feeds)).y!;
    return Number(data[0]) === 255 * 127 * INNER ? 127 : 63;
  } finally {
    await executable.dispose();
  }
}

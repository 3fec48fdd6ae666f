"""Random blocks of every supported storage type with the values that the `gguf` Python package gives them.

Run: pip install -r requirements.txt && python make.py
Writes blocks.json: per type, the blocks and their f32 bits, both as base64, little-endian.
"""

import base64
import json
import pathlib

import numpy as np
from gguf import GGMLQuantizationType
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize

TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q8_0", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"]
# f16 numbers of a block; in front of it, but for Q6_K
SCALES = {"Q4_0": 1, "Q4_1": 2, "Q8_0": 1, "Q5_0": 1, "Q5_1": 2, "Q4_K": 2, "Q5_K": 2, "Q6_K": 1}
random = np.random.default_rng(20)


def blocks_of(name):
    """Random bytes; half-precision scales are finite, with subnormals, both zeros and both extremes among them."""
    _, size = GGML_QUANT_SIZES[GGMLQuantizationType[name]]
    if name == "F16":  # all of them but NaN
        halves = np.arange(65536, dtype=np.uint16)
        return np.ascontiguousarray(halves[~np.isnan(halves.view(np.float16))][::13]).view(np.uint8)
    if name in ("F32", "BF16"):
        values = np.concatenate([random.normal(size=90), [0.0, -0.0, np.inf, -np.inf, 1e-40, 3e38]])
        bits = values.astype(np.float32).view(np.uint32)
        return (bits if name == "F32" else (bits >> 16).astype(np.uint16)).view(np.uint8)
    count = 8 if name.endswith("_K") else 24
    blocks = random.integers(0, 256, size=(count, size), dtype=np.uint8)
    scales = random.normal(size=(count, SCALES[name])).astype(np.float16)
    scales[0], scales[1], scales[2], scales[3], scales[4] = 0.0, -0.0, 65504.0, -65504.0, 6e-8
    scales[5] = random.normal() * 1e-5
    if name == "Q6_K":
        blocks[:, -2:] = scales.view(np.uint8)
    else:
        blocks[:, : 2 * SCALES[name]] = scales.view(np.uint8)
    return blocks.reshape(-1)


def encode(array):
    return base64.b64encode(array.tobytes()).decode()


golden = {}
for name in TYPES:
    blocks = blocks_of(name)
    values = dequantize(blocks.reshape(1, -1), GGMLQuantizationType[name]).reshape(-1)
    golden[name] = {"blocks": encode(blocks), "values": encode(values.view(np.uint32))}
path = pathlib.Path(__file__).parent / "blocks.json"
path.write_text(json.dumps(golden, indent=1) + "\n")

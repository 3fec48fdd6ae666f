"""Writes the tiny T5s beside this file as GGUF, with the `gguf` Python package: v1.0/model.gguf and v1.1/model.gguf.

Run make.py first, then `python make_gguf.py` in an environment with requirements-gguf.txt beside this file. Names are what
gguf's own tensor map makes of Hugging Face's; metadata are those that llama.cpp's converter writes for a T5. Weights are
representable in bf16 and written so, norms and tables of distances in f32 as the converter does, one matrix as Q8_0.
"""

import json
from pathlib import Path

import gguf
import numpy as np
from gguf.quants import quantize
from safetensors import safe_open

HERE = Path(__file__).parent
TYPE = gguf.GGMLQuantizationType
QUANTISED = "dec.blk.1.ffn_up.weight"


def write(folder):
    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(folder / "model.gguf", "t5")
    writer.add_context_length(config.get("n_positions", 512))
    writer.add_embedding_length(config["d_model"])
    writer.add_feed_forward_length(config["d_ff"])
    writer.add_block_count(config["num_layers"])
    writer.add_decoder_block_count(config["num_decoder_layers"])
    writer.add_head_count(config["num_heads"])
    writer.add_key_length(config["d_kv"])
    writer.add_value_length(config["d_kv"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])
    writer.add_relative_attn_buckets_count(config["relative_attention_num_buckets"])
    writer.add_layer_norm_rms_eps(config["layer_norm_epsilon"])
    writer.add_decoder_start_token_id(config["decoder_start_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    blocks = max(config["num_layers"], config["num_decoder_layers"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.T5, blocks)
    with safe_open(folder / "model.safetensors", "pt") as file:
        for key in file.keys():
            name = names.get_name(key, try_suffixes=(".weight",))
            array = file.get_tensor(key).float().numpy()
            kind = TYPE.F32 if array.ndim == 1 or "rel_b" in name else TYPE.BF16
            kind = TYPE.Q8_0 if name == QUANTISED and array.shape[-1] % 32 == 0 else kind
            writer.add_tensor(name, quantize(array, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


for variant in ("v1.0", "v1.1"):
    write(HERE / variant)

"""Golden numbers of SmolLM2-135M-Instruct, read from a GGUF file by the `gguf` Python package and run by transformers.

Run: pip install -r requirements.txt && python make.py SmolLM2-135M-Instruct.Q4_1.gguf [--cross-check] [--arrays FILE]
Writes logits.safetensors (64 tokens of snippet.txt: ids, logsumexp and argmax per position, logits of every 97th
vocabulary column), ids.json (strings of our own with their ids) and arrays.json (one sha256 over the f32 bytes of all
arrays in the order of their Hugging Face names). --cross-check compares the weights with those of transformers' own
GGUF loader; --arrays FILE writes sha256 and shape of every array.
"""

import argparse
import hashlib
import json
import pathlib

import numpy as np
import regex
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

HERE = pathlib.Path(__file__).parent
POSITIONS, COLUMN_STEP = 64, 97
BLOCK_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OUTER_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def hugging_face_name(name):
    stem = name.removesuffix(".weight")
    if not stem.startswith("blk."):
        return OUTER_NAMES[stem] + ".weight"
    _, layer, inner = stem.split(".")
    return f"model.layers.{layer}.{BLOCK_NAMES[inner]}.weight"


def undo_interleaving(array, heads):
    return array.reshape(heads, array.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(array.shape)


def read_arrays(reader, heads, kv_heads):
    arrays = {}
    for tensor in reader.tensors:
        array = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if ".attn_q." in tensor.name:
            array = undo_interleaving(array, heads)
        if ".attn_k." in tensor.name:
            array = undo_interleaving(array, kv_heads)
        arrays[hugging_face_name(tensor.name)] = np.ascontiguousarray(array)
    return arrays


def build_model(field, arrays):
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=arrays["model.embed_tokens.weight"].shape[0],
            hidden_size=field("llama.embedding_length"),
            intermediate_size=field("llama.feed_forward_length"),
            num_hidden_layers=field("llama.block_count"),
            num_attention_heads=field("llama.attention.head_count"),
            num_key_value_heads=field("llama.attention.head_count_kv"),
            max_position_embeddings=field("llama.context_length"),
            rms_norm_eps=1e-5,
            rope_theta=field("llama.rope.freq_base"),
            tie_word_embeddings="lm_head.weight" not in arrays,
            attn_implementation="eager",
        )
    ).eval()
    state = {name: torch.from_numpy(array) for name, array in arrays.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    model.tie_weights()
    return model


def reference_tokenizer(field):
    """The pipeline of SmolLM2's published tokenizer.json over the vocabulary in the GGUF file."""
    vocab = {token: index for index, token in enumerate(field("tokenizer.ggml.tokens"))}
    merges = [tuple(merge.split(" ")) for merge in field("tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def plain_bpe(field):
    """Byte-pair encoding written out: no tokenizer library, llama.cpp's two expressions for `smollm`."""
    vocab = {token: index for index, token in enumerate(field("tokenizer.ggml.tokens"))}
    ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(field("tokenizer.ggml.merges"))}
    words = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}

    def merge(parts):
        while len(parts) > 1:
            rank, at = min((ranks.get(pair, 1 << 30), i) for i, pair in enumerate(zip(parts, parts[1:])))
            if rank == 1 << 30:
                break
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return parts

    cache = {}

    def encode(text):
        ids = []
        for stretch in regex.findall(r"\p{N}|\P{N}+", text):
            for word in words.findall(stretch):
                if word not in cache:
                    parts = merge([letters[byte] for byte in word.encode()])
                    cache[word] = [vocab[part] for part in parts if part in vocab]
                ids += cache[word]
        return ids

    return encode


def write_logits(model, ids):
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].float()
    save_file(
        {
            "ids": np.array(ids, dtype=np.int32),
            "logsumexp": torch.logsumexp(logits.double(), -1).float().numpy(),
            "argmax": logits.argmax(-1).int().numpy(),
            "logits": np.ascontiguousarray(logits[:, ::COLUMN_STEP].numpy()),
        },
        HERE / "logits.safetensors",
    )


def cross_check(path, arrays):
    other = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).state_dict()
    worst = max(np.abs(other[name].numpy() - array).max() for name, array in arrays.items())
    print(f"largest difference from transformers' GGUF loader over {len(arrays)} arrays: {worst}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("gguf", type=pathlib.Path)
    parser.add_argument("--cross-check", action="store_true")
    parser.add_argument("--arrays", type=pathlib.Path)
    options = parser.parse_args()
    reader = GGUFReader(options.gguf)

    def field(name):
        return reader.fields[name].contents()

    arrays = read_arrays(reader, field("llama.attention.head_count"), field("llama.attention.head_count_kv"))
    if options.arrays:
        hashes = {n: f"{hashlib.sha256(a).hexdigest()} {','.join(map(str, a.shape))}" for n, a in arrays.items()}
        options.arrays.write_text(json.dumps(hashes))
    together = hashlib.sha256()
    for name in sorted(arrays):
        together.update(arrays[name])
    (HERE / "arrays.json").write_text(json.dumps({"count": len(arrays), "sha256": together.hexdigest()}) + "\n")
    if options.cross_check:
        cross_check(options.gguf, arrays)
    tokenizer, plain = reference_tokenizer(field), plain_bpe(field)
    ids = tokenizer.encode((HERE / "snippet.txt").read_text()).ids[:POSITIONS]
    assert len(ids) == POSITIONS
    write_logits(build_model(field, arrays), ids)
    strings = json.loads((HERE / "strings.json").read_text())
    golden = [{"text": text, "ids": tokenizer.encode(text).ids} for text in strings]
    for row in golden:
        assert plain(row["text"]) == row["ids"], row["text"]
    (HERE / "ids.json").write_text("[\n" + ",\n".join(json.dumps(row) for row in golden) + "\n]\n")


if __name__ == "__main__":
    main()

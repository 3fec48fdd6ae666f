"""Small SentencePiece models and what transformers makes of them: tokenizer.json and ids for strings.json.

Run: pip install -r requirements.txt && python make_sentencepiece.py
Trains, on strings.json, ../smollm2/snippet.txt and the licence, models as T5's (Unigram, the full table of nmt_nfkc),
XLNet's and a plain Unigram with a small table of its own, and Llama's (BPE with byte fallback). Writes NAME.model, and
NAME.model.json with tokenizer.json as transformers converts it (the character map is told by its sha256, the model has
it), ids, and, for T5's and Llama's, the metadata that llama.cpp's converter puts into a GGUF file.
"""

import base64
import hashlib
import json
import os
import pathlib
import tempfile

import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2
from transformers import AutoTokenizer

HERE = pathlib.Path(__file__).parent.resolve()
STRINGS = json.loads((HERE / "strings.json").read_text())
TEXTS = [*STRINGS, (HERE / "../smollm2/snippet.txt").read_text(), (HERE / "../../../LICENSE").read_text()]
LINES = [line for text in TEXTS for line in text.splitlines() if line.strip()]

# T5 cannot write these; so that the small one cannot either, it never sees them.
UNSEEN = str.maketrans("", "", "{}<>\\^~`")

# Rules in the manner of nmt_nfkc, so that a table fits on a page: sources and targets are code points in hexadecimal.
RULES = "9\t20\nA\t20\nD\t20\nD A\t20\n7F\t\n200B\t20\nA0\t20\nFB01\t66 69\nBD\t31 2044 32\n65 301\tE9\n3000\t20\n1F469\t77\n"

FLAGS = {"lstrip": False, "normalized": False, "rstrip": True, "single_word": False, "special": False}
ADDED = {"400": {"content": "<sum>"} | FLAGS, "401": {"content": "<end>"} | FLAGS | {"special": True}}
LLAMA_VARIANTS = [
    {"add_bos_token": True, "legacy": True},
    {"add_bos_token": True, "add_eos_token": True, "add_prefix_space": False},
]


def train(name, lines, **settings):
    # The model keeps its prefix: a name, not the place where it was made.
    os.chdir(HERE)
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_prefix=name,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
        **settings,
    )
    (HERE / f"{name}.vocab").unlink()


def fingerprints(value):
    """The same, with each character map as its hash."""
    if isinstance(value, list):
        return [fingerprints(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: hashlib.sha256(base64.b64decode(item)).hexdigest() if key == "precompiled_charsmap" and item else fingerprints(item)
        for key, item in value.items()
    }


def load(name, file, config):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        (path / file).write_bytes((HERE / f"{name}.model").read_bytes())
        (path / "tokenizer_config.json").write_text(json.dumps(config))
        return AutoTokenizer.from_pretrained(folder)


def converted(name, file, config):
    tokenizer = load(name, file, config)
    backend = tokenizer.backend_tokenizer
    backend.encode_special_tokens = True
    return {
        "file": file,
        "config": config,
        "tokenizer": fingerprints(json.loads(backend.to_str())),
        "special": {"bos": tokenizer.bos_token_id, "eos": tokenizer.eos_token_id},
        "ids": [backend.encode(text, add_special_tokens=False).ids for text in STRINGS],
        "decoded": [backend.decode(backend.encode(text, add_special_tokens=False).ids) for text in STRINGS],
    }


def gguf(name, model, padded=0):
    """As convert_hf_to_gguf.py of llama.cpp does (T5Model.set_vocab, _set_vocab_sentencepiece)."""
    proto = sentencepiece_model_pb2.ModelProto.FromString((HERE / f"{name}.model").read_bytes())
    pieces = proto.pieces
    spec = proto.trainer_spec
    metadata = {
        "tokenizer.ggml.model": model,
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": [p.piece for p in pieces] + [f"[PAD{len(pieces) + i}]" for i in range(padded)],
        "tokenizer.ggml.scores": [p.score for p in pieces] + [-10000.0] * padded,
        "tokenizer.ggml.token_type": [p.type for p in pieces] + [5] * padded,
        "tokenizer.ggml.add_space_prefix": proto.normalizer_spec.add_dummy_prefix,
        "tokenizer.ggml.remove_extra_whitespaces": proto.normalizer_spec.remove_extra_whitespaces,
        "tokenizer.ggml.eos_token_id": spec.eos_id,
        "tokenizer.ggml.unknown_token_id": spec.unk_id,
    }
    return metadata | ({"tokenizer.ggml.bos_token_id": spec.bos_id} if spec.bos_id >= 0 else {}) | (
        {"tokenizer.ggml.padding_token_id": spec.pad_id} if spec.pad_id >= 0 else {}
    )


def variant(name, file, config):
    """Everything but the model, which configurations do not change."""
    tokenizer = json.loads(load(name, file, config).backend_tokenizer.to_str())
    return {"config": config, "tokenizer": fingerprints({k: v for k, v in tokenizer.items() if k != "model"})}


def write(name, file, config, variants, metadata=None):
    golden = converted(name, file, config) | ({"metadata": metadata} if metadata else {})
    golden["variants"] = [variant(name, file, config | more) for more in variants]
    (HERE / f"{name}.model.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    train(
        "t5",
        [line.translate(UNSEEN) for line in LINES],
        vocab_size=300,
        model_type="unigram",
        normalization_rule_name="nmt_nfkc",
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
    )
    write("t5", "spiece.model", {"tokenizer_class": "T5Tokenizer"}, [{"extra_ids": 3}, {"added_tokens_decoder": ADDED}], gguf("t5", "t5", padded=108))
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        rules.write(RULES)
        rules.flush()
        train(
            "xlnet",
            LINES,
            vocab_size=300,
            model_type="unigram",
            normalization_rule_tsv=rules.name,
            control_symbols="<cls>,<sep>,<pad>,<mask>,<eod>",
            user_defined_symbols="<eop>,-,(",
        )
    write("xlnet", "spiece.model", {"tokenizer_class": "XLNetTokenizer"}, [{"do_lower_case": True}])
    train(
        "llama",
        LINES,
        vocab_size=520,
        model_type="bpe",
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        byte_fallback=True,
        split_digits=True,
        allow_whitespace_only_pieces=True,
    )
    write("llama", "tokenizer.model", {"tokenizer_class": "LlamaTokenizer"}, LLAMA_VARIANTS, gguf("llama", "llama"))

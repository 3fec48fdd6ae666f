"""Small tokenizers, one per way of cutting text that GGUF files name, and the ids that Python gives for strings.json.

Run: pip install -r requirements.txt && python make.py
Each vocabulary is trained on strings.json and ../smollm2/snippet.txt, cut the way of its family (GPT-2's ByteLevel;
SmolLM2's digits and ByteLevel; Qwen2's own tokenizer class of transformers; the expression of its Llama 3
converter). Writes FAMILY.json: the metadata that a GGUF file would carry, and ids; the merges in smollm.json are also
what our own trainer is held against.
"""

import inspect
import json
import pathlib
import re

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
from transformers import Qwen2Tokenizer, convert_slow_tokenizer

HERE = pathlib.Path(__file__).parent
STRINGS = json.loads((HERE / "strings.json").read_text())
CORPUS = [*STRINGS, (HERE / "../smollm2/snippet.txt").read_text()]
SPECIAL = ["<|end|>", "<|start|>"]
CONTROL, NORMAL = 3, 1


def llama3_expression():
    source = inspect.getsource(convert_slow_tokenizer)
    return re.search(r'pattern=r"""(.*\{1,3\}.*)"""', source).group(1)


def split(expression):
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(expression), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


GPT2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
FAMILIES = {
    "gpt-2": GPT2,
    "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), GPT2]),
    "qwen2": Qwen2Tokenizer().backend_tokenizer.pre_tokenizer,
    "llama-bpe": split(llama3_expression()),
}


def train(family):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = FAMILIES[family]
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        min_frequency=2,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(merge) for merge in model["merges"]]


def reference(family, vocab, merges):
    if family == "qwen2":
        return Qwen2Tokenizer(vocab=vocab, merges=merges).backend_tokenizer
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=family == "llama-bpe"))
    tokenizer.pre_tokenizer = FAMILIES[family]
    return tokenizer


for family in FAMILIES:
    vocab, merges = train(family)
    if family == "llama-bpe":  # a word that no merge reaches: Llama 3 takes it whole all the same
        vocab["Gr\u00c3\u00bc\u00c3\u0141e"] = len(vocab)
    tokens = sorted(vocab, key=vocab.get)
    metadata = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": family,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [CONTROL if token in SPECIAL else NORMAL for token in tokens],
        "tokenizer.ggml.merges": [" ".join(merge) for merge in merges],
        "tokenizer.ggml.eos_token_id": 0,
        "tokenizer.ggml.bos_token_id": 1,
    }
    tokenizer = reference(family, vocab, merges)
    ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in STRINGS]
    (HERE / f"{family}.json").write_text(json.dumps({"metadata": metadata, "ids": ids}) + "\n")

"""Reference ids for the long form of the tokenizer tests, over real files and random strings.

Run: python long.py OUT REPO..., then CODEFUDGE_TOKENIZERS=OUT node --import tsx --test test/tokenizers.ts
OUT has a folder per tokenizer, with tokenizer.json, spiece.model or tokenizer.model and tokenizer_config.json, or with
a GGUF file. Writes texts.jsonl (every text file of each repository's newest commit, and of older ones until there are
10,000), fuzz.jsonl (100,000 strings: all planes, controls, words of code, seeded) when they are not there yet, and
NAME.ids.jsonl: per text the sha256 of its ids as 32-bit numbers, little-endian, and whether decoding them gives the text.
"""

import array
import hashlib
import json
import os
import pathlib
import random
import subprocess
import sys

from tokenizers import Tokenizer
from transformers import AutoTokenizer

FILES, STRINGS, LARGEST = 10_000, 100_000, 200_000
OLDER = ["HEAD", "HEAD~500", "HEAD~1000", "HEAD~2000"]


def git(repo, *args):
    return subprocess.run(["git", "-C", repo, *args], capture_output=True).stdout


def blobs(repo, commit):
    for line in git(repo, "ls-tree", "-r", "-z", commit).decode("utf8", "replace").split("\0"):
        if line and (parts := line.split("\t", 1))[0].split()[1] == "blob" and not line.startswith("120000"):
            yield parts[0].split()[2], parts[1]


def texts(repos):
    seen = set()
    for commit in OLDER:
        for repo in repos:
            new = [(sha, path) for sha, path in blobs(repo, commit) if sha not in seen]
            batch = subprocess.Popen(["git", "-C", repo, "cat-file", "--batch"], stdin=-1, stdout=-1)
            for sha, path in new:
                seen.add(sha)
                batch.stdin.write(sha.encode() + b"\n")
                batch.stdin.flush()
                header = batch.stdout.readline().split()
                if header[1] == b"missing":  # a clone that leaves older files out
                    continue
                size = int(header[2])
                data = batch.stdout.read(size + 1)[:-1]
                try:
                    text = data.decode("utf8")
                except UnicodeDecodeError:
                    continue
                if 0 < size <= LARGEST and "\0" not in text:
                    yield {"path": path, "text": text}
            batch.stdin.close()
            batch.wait()


WORDS = ["function", " return", "\n", "\t", "    ", "{", "}", "=>", "\r\n", "<0x0A>", "</s>", "<unk>", "\u2581", "``", "''", "e\u0301"]
PLANES = [(0, 0x20), (0x20, 0x7F), (0x7F, 0x250), (0x250, 0x3000), (0x3000, 0xD800), (0xE000, 0x10000), (0x10000, 0x20000), (0x20000, 0x110000)]


def fuzz():
    choose = random.Random(7)
    for _ in range(STRINGS):
        parts = []
        for _ in range(choose.randrange(40)):
            low, high = choose.choice(PLANES)
            parts.append(choose.choice(WORDS) if choose.random() < 0.2 else chr(choose.randrange(low, high)))
        yield {"text": "".join(parts)}


def write(path, rows, most):
    if path.exists():
        return
    with open(f"{path}.tmp", "w") as file:
        for _, row in zip(range(most), rows):
            file.write(json.dumps(row) + "\n")
    os.rename(f"{path}.tmp", path)


def open_tokenizer(folder):
    gguf = next((name for name in os.listdir(folder) if name.endswith(".gguf")), None)
    if gguf is not None:
        return AutoTokenizer.from_pretrained(folder, gguf_file=gguf).backend_tokenizer
    if (folder / "tokenizer.json").exists():
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    return AutoTokenizer.from_pretrained(folder).backend_tokenizer


def without_spellings(tokenizer):
    """A special token's spelling in a text is text: here no text has the spellings (BPE needs only the flag below)."""
    content = json.loads(tokenizer.to_str())
    if content["model"]["type"] == "Unigram":
        names = {t["content"]: f"\U0010ffffspecial{t['id']}" for t in content["added_tokens"] if t["special"]}
        for token in content["added_tokens"]:
            token["content"] = names.get(token["content"], token["content"])
        content["model"]["vocab"] = [[names.get(piece, piece), score] for piece, score in content["model"]["vocab"]]
        tokenizer = Tokenizer.from_str(json.dumps(content | {"post_processor": None}))
    tokenizer.encode_special_tokens = True
    return tokenizer


def main(out, repos):
    out = pathlib.Path(out)
    write(out / "texts.jsonl", texts(repos), FILES)
    write(out / "fuzz.jsonl", fuzz(), STRINGS)
    rows = [json.loads(line)["text"] for name in ["texts", "fuzz"] for line in open(out / f"{name}.jsonl")]
    for folder in sorted(path for path in out.iterdir() if path.is_dir()):
        target = out / f"{folder.name}.ids.jsonl"
        if target.exists():
            continue
        tokenizer = without_spellings(open_tokenizer(folder))
        with open(out / f"{folder.name}.tmp", "w") as file:
            for text in rows:
                ids = tokenizer.encode(text, add_special_tokens=False).ids
                hashed = hashlib.sha256(array.array("I", ids).tobytes()).hexdigest()
                file.write(json.dumps([len(ids), hashed, tokenizer.decode(ids) == text]) + "\n")
        os.rename(out / f"{folder.name}.tmp", target)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

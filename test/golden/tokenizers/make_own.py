"""What Python's tokenizers makes of tokenizers that we wrote: ids for strings.json.

Run: python make_own.py NAME TOKENIZER_JSON. Writes NAME.json: the tokenizer and ids. unigram is what trainUnigram makes
of strings.json with 420 tokens and the special tokens <|end|> and <|start|> (src/tokenizer/train-unigram.test.ts);
extended is what extendTokenizer makes of t5.model and strings.json with 8 words (src/tokenizer/extend.test.ts).
"""

import json
import pathlib
import sys

from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).parent
STRINGS = json.loads((HERE / "strings.json").read_text())

name, path = sys.argv[1:]
content = json.loads(pathlib.Path(path).read_text())
tokenizer = Tokenizer.from_str(json.dumps(content))
tokenizer.encode_special_tokens = True
ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in STRINGS]
assert all(tokenizer.decode(each) == text for each, text in zip(ids, STRINGS))
(HERE / f"{name}.json").write_text(json.dumps({"tokenizer": content, "ids": ids}) + "\n")

"""Makes the golden scores and stems with Google's rouge-score 0.1.2 and the NLTK stemmer that it uses.

Run in an environment with requirements.txt beside this file: `python make.py`. It rewrites:

pairs.json  pairs of our own texts with their scores: [precision, recall, F] with and without stemming
stems.txt   a word and its stem a line; words are made from syllables and suffixes, seeded
"""

import json
import random
from pathlib import Path

from nltk.stem import porter
from rouge_score import rouge_scorer

HERE = Path(__file__).parent
TYPES = ["rouge1", "rouge2", "rougeL", "rougeLsum"]

DIFF = """--- a/src/server.js
+++ b/src/server.js
@@ -10,7 +10,7 @@ function listen(port) {
   const options = defaults();
-  server.listen(port);
+  server.listen(port, options.host);
   return server;
 }
"""
CODE = """export function parsePort(text) {
  const value = Number(text);
  if (!Number.isInteger(value)) throw new Error("not a port");
  return value;
}
"""
PROSE = """Readers were running through the running tests.
Each reader read the relational stories, happily.

The stories relate; conditional operators operated.
"""
TEXTS = [
    ("", ""),
    ("", "something"),
    ("something", ""),
    ("!!! ---", "+++"),
    ("\n\n", "a\n\nb"),
    ("word", "word"),
    ("one two three", "three two one"),
    ("a b c d e f", "a c e"),
    ("a a a b", "a b b b a"),
    ("the the the", "the"),
    ("Fix typo in README", "fix typos in the readme"),
    ("Bump version to 1.4.2", "bump version to 1.4.3"),
    ("Release 2.0.0-rc.1", "release: 2.0.0"),
    ("Remove unused imports", "Removing an unused import"),
    ("Add option --dry-run to the deploy command", "Adds a dry run option for deploying"),
    ("Rename parse_line to read_line", "renames parse_lines as read_lines"),
    ("Handle empty input (closes #12)", "handling of empty inputs, fixes #12"),
    ("docs: describe the configuration", "Docs describing configurable values"),
    ("Update dependencies", "Updated a dependency"),
    ("revert: cache headers", "Revert \"cache headers\""),
    ("Tests for the tokenizer's edge cases", "tokenizers, tested: edges"),
    ("skies dying lying tying", "sky die lie tie"),
    ("innings outings cannings", "inning outing canning"),
    ("proceed exceed succeed news", "proceeding exceeded success new"),
    ("agreed feed plastered bled motoring sing", "agree feeds plaster bleed motor singing"),
    ("happy enjoy enjoyment spied spies dies", "happily enjoys enjoyable spy spying died"),
    ("hopping tanned falling hissing fizzed failing filing", "hop tan fall hiss fizz fail file"),
    ("relational conditional rational valency hesitancy", "relate condition ration valence hesitance"),
    ("digitizer conformably radically differently vilely", "digitize conformable radical different vile"),
    ("geology theology archaeology", "geologic theologian archaeologist"),
    ("hopefully carefully faithful goodness", "hope care faith good"),
    ("controlling rolled revival allowance adoption", "control roll revive allow adopt"),
    (CODE, CODE),
    (CODE, CODE.replace("Number", "parseInt").replace("port", "portNumber")),
    (CODE, ""),
    (CODE, "\n".join(reversed(CODE.split("\n")))),
    (DIFF, DIFF),
    (DIFF, DIFF.replace("options.host", "host")),
    (DIFF, DIFF.replace("@@ -10,7 +10,7 @@", "@@ -11,6 +11,6 @@").replace("server.js", "client.js")),
    (DIFF, CODE),
    (DIFF, DIFF + DIFF),
    (DIFF, "\n".join(line for line in DIFF.split("\n") if line[:1] in "+-")),
    (PROSE, "The reader reads a relation.\nStories happen; operations are conditioned."),
    (PROSE, PROSE.replace("\n", " ")),
    (PROSE.replace("\n", " "), PROSE),
    ("a b c\na b d\nb c d", "a d\nb c\na b c d"),
    ("one two\ntwo three\nthree one", "one\ntwo\nthree\none two three"),
    ("x\nx\nx", "x x\nx"),
    ("same line\r\nother line\r\n", "other line\nsame line"),
    ("snake_case camelCase kebab-case", "snake case camelcase kebab case"),
    ("v1.2.3 0x1F 1e-4 127.0.0.1", "v1 2 3 0x1f 1e 4 127 0 0 1"),
    ("Größe ändern, naïve café", "Grosse andern naive cafe"),
    ("Größe ändern, naïve café", "größe ÄNDERN NAÏVE Café"),
    ("\u0130stanbul \u212aelvin \u1e9e", "istanbul kelvin ss"),
    ("ΣΊΣΥΦΟΣ sisyphus", "σίσυφος SISYPHUS"),
    ("日本語 text 中文", "text 日本"),
    ("emoji 🎉 release 🚀", "release emoji 🎉"),
    ("tab\tseparated\u00a0values\u2028line", "tab separated values line"),
    ("ﬁle ﬂow", "file flow"),
    ("yyyyy syzygy toy toys says", "yyyyys syzygies toying say"),
    (" ".join(f"w{i % 7}" for i in range(60)), " ".join(f"w{i % 5}" for i in range(50))),
    (" ".join(f"w{i * i % 31}" for i in range(120)), "\n".join(f"w{i * 3 % 31}" for i in range(80))),
]

SUFFIXES = (
    "s es ies sses ss ed eed ied ing at ated bl bled iz ized y ly ational tional enci anci ency ancy izer bli ably alli "
    "ally entli ently eli ely ousli ously ization ation ator alism iveness fulness ousness aliti ality iviti ivity biliti "
    "bility fulli fully logi logy icate ative alize iciti icity ical ful ness al ance ence er ic able ible ant ement ment "
    "ent ion sion tion ou ism ate iti ous ive ize e ll lle ling lling tting ssing zzed er ers ings edly edness s0 2"
).split()
FIXED = (
    "sky skies dying lying tying news inning innings outing outings canning cannings howe proceed exceed succeed "
    "dies died ties tied spied spies flies sses ness eed ying yyyy yyyyy yyyyyy syzygy aeiou bcdfg ally alli really "
    "conditionally relationally operationally rationalli geology theology logi apologi wing wings being seeing eyed keyed ions sions able abli ibli rebelli"
).split()


def make_words(count):
    rng = random.Random(5)
    onsets = ["", "b", "c", "ch", "d", "f", "g", "gr", "h", "k", "l", "m", "n", "p", "pl", "r", "s", "st", "t", "tr", "v", "w", "x", "y", "z"]
    vowels = ["a", "e", "i", "o", "u", "y", "ea", "ou", "ay", "ie"]
    codas = ["", "", "b", "d", "g", "ll", "l", "m", "n", "nn", "p", "r", "ss", "s", "st", "t", "tt", "w", "x", "y", "z", "zz"]
    words = dict.fromkeys(FIXED)
    while len(words) < count:
        syllables = rng.choice([0, 1, 1, 1, 2, 2, 3])
        stem = "".join(rng.choice(onsets) + rng.choice(vowels) + rng.choice(codas) for _ in range(syllables))
        suffix = "".join(rng.choice(SUFFIXES) for _ in range(rng.choice([0, 1, 1, 1, 1, 2])))
        if 3 < len(stem + suffix) <= 16:
            words[stem + suffix] = None
    return sorted(words)


def score(target, prediction, stem):
    result = rouge_scorer.RougeScorer(TYPES, use_stemmer=stem).score(target, prediction)
    return {name: [s.precision, s.recall, s.fmeasure] for name, s in result.items()}


def main():
    pairs = [
        {"target": a, "prediction": b, "plain": score(a, b, False), "stemmed": score(a, b, True)} for a, b in TEXTS
    ]
    rows = ",\n".join(json.dumps(pair, ensure_ascii=False) for pair in pairs)
    (HERE / "pairs.json").write_text(f"[\n{rows}\n]\n", encoding="utf-8", newline="\n")
    stemmer = porter.PorterStemmer()
    lines = [f"{word} {stemmer.stem(word)}\n" for word in make_words(2000)]
    (HERE / "stems.txt").write_text("".join(lines), newline="\n")


if __name__ == "__main__":
    main()

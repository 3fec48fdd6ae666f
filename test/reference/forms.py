"""Reads a dataset and its exports with the programs that they are made for, and compares rows and contents.

python forms.py DATASET [EXPORT…]: folders made by `codefudge history` and `codefudge export`. Prints one JSON object:
for each folder and reader the rows and a sha256 over the contents of all rows, and `same`, whether they are those of
DATASET. Seen with datasets 5.2.0, pandas 3.1.1, pyarrow 26.0.1, duckdb 2.0.0 (Python 3.11).
"""

import hashlib
import json
import os
import pathlib
import sys
import tempfile

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")

import datasets  # noqa: E402  the variables above are read when it is imported
import duckdb  # noqa: E402
import pandas  # noqa: E402

datasets.disable_progress_bars()
SPLITS = ["train", "validation", "test"]
COLUMNS = ["message", "path", "old", "diff", "commit", "parent", "time", "author", "weight"]


def digest(rows, columns):
    """Of (split, row) pairs, a row being a mapping."""
    hash, count = hashlib.sha256(), 0
    for split, row in rows:
        count += 1
        hash.update(json.dumps([split, *(plain(row.get(name)) for name in columns)]).encode() + b"\n")
    return {"rows": count, "sha256": hash.hexdigest()}


def plain(value):
    """Times as seconds, missing values as None."""
    if hasattr(value, "timestamp"):
        return round(value.timestamp())
    if isinstance(value, float):
        return None if value != value else value
    return value


def lines(folder):
    for split in SPLITS:
        with open(folder / f"{split}.jsonl", encoding="utf-8", newline="\n") as file:
            for line in file:
                row = json.loads(line)
                yield split, {**row, "weight": float(row.get("weight", 1))}


def with_datasets(folder, cache):
    loaded = datasets.load_dataset(str(folder), cache_dir=cache)
    for split in SPLITS:
        for row in loaded[split] if split in loaded else []:
            yield split, {"weight": 1.0, **row}


def with_pandas(folder):
    for split in SPLITS:
        yield from ((split, row) for row in pandas.read_parquet(folder / f"{split}.parquet").to_dict("records"))


def with_duckdb(folder):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for split in SPLITS:
        query = connection.execute(f"SELECT * REPLACE (epoch(time) AS time) FROM read_parquet('{folder / split}.parquet')")
        names = [column[0] for column in query.description]
        for row in query.fetchall():
            cells = dict(zip(names, row))
            yield split, {**cells, "time": round(cells["time"])}


def read_texts(folder):
    """The forms of texts: each reader must see what the plain lines say."""
    suffix = "jsonl" if (folder / "train.jsonl").exists() else "json"
    for split in SPLITS:
        with open(folder / f"{split}.{suffix}", encoding="utf-8", newline="\n") as file:
            yield from ((split, json.loads(line)) for line in file)


def compare(dataset, exports):
    report, same = {}, True
    with tempfile.TemporaryDirectory() as cache:
        wanted = digest(lines(dataset), COLUMNS)
        report["lines, json"] = wanted
        readers = [("lines, datasets", with_datasets(dataset, cache))]
        for folder in exports:
            if (folder / "train.parquet").exists():
                readers += [("parquet, datasets", with_datasets(folder, cache)), ("parquet, pandas", with_pandas(folder)),
                            ("parquet, duckdb", with_duckdb(folder))]
        for name, rows in readers:
            report[name] = digest(rows, COLUMNS)
            same &= report[name] == wanted
        for folder in exports:
            form = json.loads((folder / "form.json").read_text())
            if form["form"] in ("parquet", "pairs"):
                continue
            columns = sorted(next(read_texts(folder))[1])
            ours, theirs = digest(read_texts(folder), columns), digest(with_datasets(folder, cache), columns)
            report[form["form"]] = theirs
            same &= ours == theirs and ours["rows"] == sum(form["examples"].values())
    return {**report, "same": same}


print(json.dumps(compare(pathlib.Path(sys.argv[1]), [pathlib.Path(name) for name in sys.argv[2:]]), indent=1))

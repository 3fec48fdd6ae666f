"""Makes the fixtures of this folder with the scripts of 2022: python make.py CHECKOUT, where CHECKOUT is a folder with
hist.bash and hist2json.py of github.com/xloem/codefudge. Needs bash, git, sed, and charset-normalizer (requirements.txt).

Two things are put in the scripts' way, so that the outcome does not depend on chance: `shuf` is a program that prints
the commits oldest first, and random.shuffle sorts downwards, so that files and their context come in order of names.

sound.txt, odd.txt      the repositories, for `git fast-import`: all that is in them was written for this test
sound.json, odd.json    what hist.bash made of them: name of a file -> its text (bytes as Latin-1)
lines.json              the lines that hist2json.py made of sound.json
examples.json           message, path, old content and diff of each change of sound.txt, as git itself has them
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
CHECKOUT = pathlib.Path(sys.argv[1]).resolve()
LONG = "a-folder-with-a-long-name/and-another-one-below-it/that-makes-the-path-too-long-for-a-table/file.txt"


def write_commit(number, message, files):
    stamp = f"Ada Example <ada@example.invalid> {1700000000 + 60 * number} +0000"
    parts = [f"commit refs/heads/main\nmark :{number}\nauthor {stamp}\ncommitter {stamp}\n".encode(), data(message)]
    for path, content in files.items():
        name = '"' + "".join(f"\\{byte:03o}" for byte in path.encode()) + '"'
        if content is None:
            parts.append(f"D {name}\n".encode())
        else:
            mode = "120000" if path == "link" else "100644"
            parts += [f"M {mode} inline {name}\n".encode(), data(content)]
    return b"".join(parts)


def data(text):
    content = text if isinstance(text, bytes) else text.encode()
    return f"data {len(content)}\n".encode() + content + b"\n"


LINES = "".join(f"line {n}\n" for n in range(1, 31))
GERMAN = "Die Größe der Fläche wird in Metern gemessen, die Höhe über dem Meer ebenso.\n"

SOUND = [
    ("Begin\n", {"a.txt": "one\n", "config.yaml": "server:\n  port: 8000\n"}),
    ("Set the port to 9000\n\nIt was in use.\nTwo lines of a body.\n",
     {"config.yaml": "server:\n  port: 9000\n", "a.txt": "one\ntwo"}),
    ("A subject\nof two lines\n\n\nAnd a body below two empty lines\n\nwith a second part\n", {"a.txt": "one\ntwo\n"}),
    ("Add files\n", {"src/deep/main.c": LINES, "crlf.txt": "first\r\nsecond\r\n", "german.txt": GERMAN * 3, "b.txt": "b\n"}),
    ("Edit at two places\n", {"src/deep/main.c": LINES.replace("line 3\n", "line three\n").replace("line 28\n", "")}),
    ("Text like a delimiter\n", {"b.txt": "b <pad>c<pad>\n\nd\n", "crlf.txt": "first\r\n2\r\n"}),
    ("Edit behind it\n", {"b.txt": "b <pad>c<pad>\n\nD\n", "german.txt": GERMAN * 2, "crlf.txt": "1\r\n2\r\n"}),
    ("Five at once\n", {"a.txt": "1\n", "b.txt": "2\n", "config.yaml": "3\n", "crlf.txt": "4\r\n", "german.txt": GERMAN}),
    ("Remove\n", {"a.txt": None}),
    ("Lines like headers\n", {"b.txt": "index 1234567..89abcde 100644\n--- a/b\n+++ b/b\n@@ -1 +1 @@\n"}),
]

ODD = [
    ("Begin\n", {"plain.txt": LINES, LONG: LINES, "with space.txt": "a\n", "größe.txt": "a\n", "image": b"\0\1\2",
                 "moved.txt": LINES * 2, "old/edited.txt": LINES * 3, "latin": "caf\xe9\n".encode("latin-1"),
                 "link": "plain.txt", 'quo"te': "a\n"}),
    ("Change all\n", {"plain.txt": LINES + "end\n", LONG: LINES + "end\n", "with space.txt": "b\n", "größe.txt": "b\n",
                      "image": b"\0\1\3", "moved.txt": None, "new.txt": LINES * 2, "old/edited.txt": None,
                      "new/edited.txt": (LINES * 3).replace("line 7\n", "line seven\n", 1), "copy.txt": LINES,
                      "latin": "th\xe9\n".encode("latin-1"), "link": "dir", 'quo"te': "b\n"}),
]


def run(args, cwd, env, **more):
    return subprocess.run(args, cwd=cwd, env=env, check=True, capture_output=True, **more).stdout


def make(name, commits):
    stream = b"".join(write_commit(n + 1, *commit) for n, commit in enumerate(commits))
    (HERE / f"{name}.txt").write_bytes(stream)
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "bin").mkdir()
        shuf = root / "bin/shuf"
        shuf.write_text("#!/bin/sh\nexec tac\n")
        shuf.chmod(0o755)
        env = {"PATH": f"{root / 'bin'}:{os.environ['PATH']}", "HOME": folder, "GIT_CONFIG_NOSYSTEM": "1", "LANG": "C.UTF-8"}
        repository = root / "pairs/repository"
        repository.mkdir(parents=True)
        run(["git", "init", "-q", "-b", "main", "."], repository, env)
        run(["git", "fast-import", "--quiet", "--date-format=raw"], repository, env, input=stream)
        run(["bash", str(CHECKOUT / "hist.bash")], repository, env)
        files = sorted(path for path in (root / "pairs").iterdir() if path.is_file())
        texts = {path.name: path.read_bytes().decode("latin-1") for path in files}
        write(f"{name}.json", texts)
        if name == "sound":
            write("lines.json", lines(repository, env))
            write("examples.json", examples(repository, env))


def lines(folder, env):
    """hist2json.py looks for pairs in the folder above."""
    program = "import random, runpy, sys; random.shuffle = lambda files: files.sort(reverse=True); " \
        "runpy.run_path(sys.argv[1], run_name='__main__')"
    run([sys.executable, "-c", program, str(CHECKOUT / "hist2json.py")], folder, env)
    return sorted((folder / "test.json").read_text().splitlines())


def examples(folder, env):
    def git(*args):
        return run(["git", *args], folder, env).decode()

    found = []
    for commit in git("rev-list", "--reverse", "main").split():
        parent = (git("log", "-1", "--format=%P", commit).split() or [None])[0]
        for path in git("diff-tree", "--root", "-r", "--no-commit-id", "--name-only", commit).splitlines():
            there = parent is not None and git("ls-tree", parent, path) != ""
            found.append({
                "message": git("log", "-1", "--format=%B", commit).rstrip("\n"),
                "path": path,
                "old": git("cat-file", "blob", f"{parent}:{path}") if there else None,
                "diff": git("log", "-1", "-p", "--format=", "--full-index", commit, "--", path),
                "commit": commit,
                "parent": parent,
            })
    return found


def write(name, value):
    (HERE / name).write_text(json.dumps(value, indent=1) + "\n")


make("sound", SOUND)
make("odd", ODD)

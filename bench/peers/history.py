"""PyDriller at the work of the bench `history`: diff and content before of every file of some commits, one JSON line.

It starts git for every commit; the whole of a large history takes minutes, so random commits are read. Changes of
submodules, whose content is a commit of another repository, it cannot read: they are skipped and counted.
"""

import json
import random
import subprocess

from common import read_job, report, stopwatch
from pydriller import Git


def main():
    job = read_job()
    git = ["git", "-C", job["repository"], "rev-list", "--branches", "--tags", "--remotes", "--no-merges", "HEAD"]
    commits = subprocess.run(git, capture_output=True, text=True, check=True).stdout.split()
    total = len(commits)
    random.seed(1)
    random.shuffle(commits)
    sampled = set(commits[: job["commits"]])
    files = skipped = 0
    repository = Git(job["repository"])
    stop = stopwatch()
    with open(job["folder"] + "/pydriller.jsonl", "w", encoding="utf-8", errors="surrogateescape") as out:
        for commit_hash in sorted(sampled):
            commit = repository.get_commit(commit_hash)
            for file in commit.modified_files:
                try:
                    before = file.source_code_before
                except ValueError:
                    skipped += 1
                    continue
                record = {
                    "message": commit.msg,
                    "path": file.old_path or file.new_path,
                    "old": before,
                    "diff": file.diff,
                    "commit": commit.hash,
                }
                out.write(json.dumps(record, ensure_ascii=False) + "\n")
                files += 1
    report({**stop(), "commits": total, "sampled": len(sampled), "files": files, "skipped": skipped})


if __name__ == "__main__":
    main()

"""What the peers need: the shape of the model, and what a stretch of work took (see bench/ours/stopwatch.ts)."""

import json
import os
import resource
import sys
import time
from pathlib import Path


def read_job():
    return json.loads(sys.argv[1])


def read_shape(name):
    shape = json.loads((Path(__file__).parent.parent / "shapes" / f"{name}.json").read_text())
    # transformers 5 keeps the rotary settings in an object of their own.
    shape["rope_parameters"] = {"rope_type": "default", "rope_theta": shape.pop("rope_theta")}
    return shape


def stopwatch():
    started, before = time.perf_counter(), os.times()

    def taken():
        after = os.times()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {
            "seconds": time.perf_counter() - started,
            "cpu_seconds": after.user + after.system - before.user - before.system,
            "peak_rss_bytes": peak if sys.platform == "darwin" else peak * 1024,
        }

    return taken


def report(sample):
    print(json.dumps(sample), flush=True)

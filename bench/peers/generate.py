"""transformers' `generate` at the work of the bench `generate`: a short answer, then one JSON line for each measured.

A streamer sees the prompt and then each token as it is chosen; its clock parts prefill from decoding.
"""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # read when transformers is imported

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from common import read_job, read_shape, report, stopwatch


class Clock:
    """Notes when the first token came."""

    def __init__(self):
        self.whole, self.puts, self.first, self.rest = stopwatch(), 0, None, None

    def put(self, _):
        self.puts += 1
        if self.puts == 2:
            self.first, self.rest = self.whole(), stopwatch()

    def end(self):
        pass


def load(job):
    kind = torch.bfloat16 if job["mode"] == "bf16" else torch.float32
    if job["model"] is not None:
        return AutoModelForCausalLM.from_pretrained(job["model"], dtype=kind).eval()
    torch.manual_seed(1)
    # Made in its own type: converted, it would be held twice.
    torch.set_default_dtype(kind)
    return LlamaForCausalLM(LlamaConfig(**read_shape(job["shape"]))).eval()


def answer(model, length, tokens):
    ids = torch.randint(0, model.config.vocab_size, (1, length))
    clock = Clock()
    limits = {"max_new_tokens": tokens, "min_new_tokens": tokens, "do_sample": False}
    model.generate(ids, attention_mask=torch.ones_like(ids), streamer=clock, pad_token_id=0, **limits)
    decoded = clock.rest()
    return {
        "prefill": length / clock.first["seconds"],
        "decoding": (tokens - 1) / decoded["seconds"],
        "prefill_cpu_seconds": clock.first["cpu_seconds"],
        "decoding_cpu_seconds": decoded["cpu_seconds"],
        "peak_rss_bytes": decoded["peak_rss_bytes"],
    }


def main():
    job = read_job()
    torch.set_num_threads(job["threads"])
    model = load(job)
    with torch.inference_mode():
        answer(model, min(job["prompt"], 16), 2)
        for _ in range(job["steps"]):
            report(answer(model, job["prompt"], job["tokens"]))


main()

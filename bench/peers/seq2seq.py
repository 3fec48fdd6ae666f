"""PyTorch + adapters at the work of the bench `seq2seq`: one warm-up step, then JSON lines, one for each measured step.

Dropout is off, as ours has none in the base; the optimizer is PyTorch's fused one.
"""

import contextlib
import json
from pathlib import Path

import adapters
import torch
from transformers import T5Config, T5ForConditionalGeneration

from common import read_job, report, stopwatch


def build(shape, adapter, dtype):
    torch.manual_seed(1)
    config = json.loads((Path(__file__).parent.parent / "pairs" / f"{shape}.json").read_text())
    config.pop("model_type")
    model = T5ForConditionalGeneration(T5Config(**config, dropout_rate=0.0, use_cache=False))
    adapters.init(model)
    model.add_adapter("bench", config=adapter)
    model.train_adapter("bench")
    model.to(dtype)
    model.train()
    return model


def step(model, optimizer, ids, labels, autocast):
    with torch.autocast("cpu", dtype=torch.bfloat16) if autocast else contextlib.nullcontext():
        loss = model(input_ids=ids, labels=labels).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def main():
    job = read_job()
    torch.set_num_threads(job["threads"])
    length, targets, mode = job["length"], job["targets"], job["mode"]
    dtype = torch.bfloat16 if mode == "bf16 weights" else torch.float32
    model = build(job["shape"], job["adapter"], dtype)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.0, fused=True)
    for at in range(job["steps"] + 1):
        ids = torch.randint(2, model.config.vocab_size, (1, length))
        labels = torch.randint(2, model.config.vocab_size, (1, targets))
        measured = stopwatch()
        loss = step(model, optimizer, ids, labels, mode == "bf16 autocast")
        taken = measured()
        if at > 0:
            report({"tokens_per_second": (length + targets) / taken.pop("seconds"), "loss": loss, **taken})


main()

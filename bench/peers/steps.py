"""Training steps of a peer that runs on PyTorch: what `train` and `seq2seq` have in common."""

import contextlib

import torch

from common import report, stopwatch


def dtype_of(mode):
    return torch.bfloat16 if "bf16 weights" in mode else torch.float32


def measure(job, model, learning_rate, draw, loss_of):
    """One warm-up step, then a JSON line for each measured one. `draw` gives a batch of random ids and is not timed;
    `loss_of` runs the model on it. The optimizer is PyTorch's fused one."""
    torch.set_num_threads(job["threads"])
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=learning_rate, weight_decay=0.0, fused=True)
    is_autocast = "bf16 autocast" in job["mode"]
    for at in range(job["steps"] + 1):
        batch = draw()
        measured = stopwatch()
        with torch.autocast("cpu", dtype=torch.bfloat16) if is_autocast else contextlib.nullcontext():
            loss = loss_of(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        value = loss.item()
        taken = measured()
        if at > 0:
            tokens = sum(ids.numel() for ids in batch)
            report({"tokens_per_second": tokens / taken.pop("seconds"), "loss": value, **taken})

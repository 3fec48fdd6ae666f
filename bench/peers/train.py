"""PyTorch + PEFT at the work of the bench `train`: one warm-up step, then JSON lines, one for each measured step.

Logits are computed for target positions only, as ours are: less work than `labels=` would do.
"""

import contextlib

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from common import read_job, read_shape, report, stopwatch


def build(shape, checkpointing, dtype):
    torch.manual_seed(1)
    base = LlamaForCausalLM(LlamaConfig(**read_shape(shape), use_cache=False)).to(dtype)
    lora = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(base, lora)
    model.train()
    if checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model


def step(model, optimizer, ids, targets, autocast):
    with torch.autocast("cpu", dtype=torch.bfloat16) if autocast else contextlib.nullcontext():
        logits = model(input_ids=ids, logits_to_keep=targets + 1).logits
    loss = torch.nn.functional.cross_entropy(logits[0, :-1].float(), ids[0, -targets:])
    loss.backward()
    torch.nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def main():
    job = read_job()
    torch.set_num_threads(job["threads"])
    length, targets, mode = job["length"], job["targets"], job["mode"]
    # PEFT keeps the adapter's own arrays in f32 over weights of less.
    dtype = torch.bfloat16 if "bf16 weights" in mode else torch.float32
    model = build(job["shape"], "checkpointing" in mode, dtype)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=3e-4, weight_decay=0.0)
    for at in range(job["steps"] + 1):
        ids = torch.randint(0, model.config.vocab_size, (1, length))
        measured = stopwatch()
        loss = step(model, optimizer, ids, targets, "bf16 autocast" in mode)
        taken = measured()
        if at > 0:
            report({"tokens_per_second": length / taken.pop("seconds"), "loss": loss, **taken})


main()

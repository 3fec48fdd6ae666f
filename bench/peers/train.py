"""PyTorch + PEFT at the work of the bench `train`.

Logits are computed for target positions only, as ours are: less work than `labels=` would do.
"""

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from common import read_job, read_shape
from steps import dtype_of, measure


def build(shape, mode):
    torch.manual_seed(1)
    # PEFT keeps the adapter's own arrays in f32 over weights of less.
    base = LlamaForCausalLM(LlamaConfig(**read_shape(shape), use_cache=False)).to(dtype_of(mode))
    lora = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(base, lora)
    model.train()
    if "checkpointing" in mode:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model


def main():
    job = read_job()
    length, targets = job["length"], job["targets"]
    model = build(job["shape"], job["mode"])

    def draw():
        return [torch.randint(0, model.config.vocab_size, (1, length))]

    def loss_of(batch):
        [ids] = batch
        logits = model(input_ids=ids, logits_to_keep=targets + 1).logits
        return torch.nn.functional.cross_entropy(logits[0, :-1].float(), ids[0, -targets:])

    measure(job, model, 3e-4, draw, loss_of)


main()

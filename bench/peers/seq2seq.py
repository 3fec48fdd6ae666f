"""PyTorch + adapters at the work of the bench `seq2seq`. Dropout is off, as ours has none in the base."""

import json
from pathlib import Path

import adapters
import torch
from transformers import T5Config, T5ForConditionalGeneration

from common import read_job
from steps import dtype_of, measure


def build(shape, adapter, mode):
    torch.manual_seed(1)
    config = json.loads((Path(__file__).parent.parent / "pairs" / f"{shape}.json").read_text())
    config.pop("model_type")
    model = T5ForConditionalGeneration(T5Config(**config, dropout_rate=0.0, use_cache=False))
    adapters.init(model)
    model.add_adapter("bench", config=adapter)
    model.train_adapter("bench")
    model.to(dtype_of(mode))
    model.train()
    return model


def main():
    job = read_job()
    model = build(job["shape"], job["adapter"], job["mode"])

    def draw():
        return [torch.randint(2, model.config.vocab_size, (1, job[side])) for side in ("length", "targets")]

    def loss_of(batch):
        [ids, labels] = batch
        return model(input_ids=ids, labels=labels).loss

    measure(job, model, 1e-4, draw, loss_of)


main()

"""Makes the golden numbers of what a trainer adds to a plain loss, on the tiny Llama and adapter of ../llama/tied.

Run in an environment with requirements.txt beside this file: `python make.py`. It rewrites the files here:

smoothed.safetensors   gradients of the adapter under transformers' LabelSmoother
weighted.safetensors   gradients where the examples count differently: sum(weight x nll) / sum(weight x targets)
adafactor.safetensors  the adapter after ten steps of transformers' Adafactor, linear schedule with warm-up, clipping
expected.json          the losses, norms and rates that belong to them
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers
from peft import PeftModel
from safetensors.torch import save_file
from transformers.trainer_pt_utils import LabelSmoother

HERE = Path(__file__).parent
LLAMA = HERE.parent / "llama"
SMOOTHING = 0.1
WEIGHTS = [1.0, 0.25, 0.5, 0.75]
WARMUP, STEPS, RATE, MAX_NORM = 3, 10, 2e-3, 1.0


def load():
    base = transformers.LlamaForCausalLM.from_pretrained(LLAMA / "tied", attn_implementation="eager", dtype=torch.float32)
    return PeftModel.from_pretrained(base, LLAMA / "tied" / "adapter", is_trainable=True).eval()


def trained(model):
    return {n.replace(".default.", "."): p for n, p in model.named_parameters() if p.requires_grad}


def padded(sequences):
    width = max(len(s["ids"]) for s in sequences)
    ids = torch.tensor([s["ids"] + [0] * (width - len(s["ids"])) for s in sequences])
    mask = torch.tensor([[1] * len(s["ids"]) + [0] * (width - len(s["ids"])) for s in sequences])
    labels = ids.masked_fill(mask == 0, -100)
    for row, sequence in enumerate(sequences):
        labels[row, : sequence["promptLength"]] = -100
    return ids, mask, labels


def nll_sum(model, sequence):
    ids, prompt = sequence["ids"], sequence["promptLength"]
    logits = model(input_ids=torch.tensor([ids])).logits[0]
    return F.cross_entropy(logits[prompt - 1 : -1], torch.tensor(ids[prompt:]), reduction="sum")


def targets(sequence):
    return len(sequence["ids"]) - sequence["promptLength"]


def gradients(model, loss):
    model.zero_grad(set_to_none=True)
    loss.backward()
    return {name: parameter.grad.clone().contiguous() for name, parameter in trained(model).items()}


def smoothed(sequences):
    model = load()
    ids, mask, labels = padded(sequences)
    loss = LabelSmoother(epsilon=SMOOTHING)(model(input_ids=ids, attention_mask=mask), labels, shift_labels=True)
    save_file(gradients(model, loss), HERE / "smoothed.safetensors")
    return {"smoothing": SMOOTHING, "loss": loss.item()}


def weighted(sequences):
    model = load()
    weights = [WEIGHTS[i % len(WEIGHTS)] for i in range(len(sequences))]
    total = sum(w * targets(s) for w, s in zip(weights, sequences))
    loss = sum(w * nll_sum(model, s) for w, s in zip(weights, sequences)) / total
    save_file(gradients(model, loss), HERE / "weighted.safetensors")
    return {"weights": weights, "loss": loss.item()}


def adafactor(batch):
    """As transformers' Trainer makes it for optim="adafactor"; the first step of the warm-up has a rate of 0."""
    model = load()
    parameters = list(trained(model).values())
    optimizer = transformers.Adafactor(parameters, lr=RATE, scale_parameter=False, relative_step=False)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, WARMUP, STEPS)
    steps = []
    for window in batch["windows"]:
        members = [batch["sequences"][i] for micro in window for i in micro]
        total = sum(targets(s) for s in members)
        optimizer.zero_grad(set_to_none=True)
        loss = sum(nll_sum(model, s) for s in members) / total
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, MAX_NORM).item()
        steps.append({"loss": loss.item(), "gradNorm": norm, "learningRate": schedule.get_last_lr()[0]})
        optimizer.step()
        schedule.step()
    save_file({name: p.detach().contiguous() for name, p in trained(model).items()}, HERE / "adafactor.safetensors")
    return {"learningRate": RATE, "warmupSteps": WARMUP, "maxGradNorm": MAX_NORM, "steps": steps}


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    batch = json.loads((LLAMA / "batch.json").read_text())
    sequences = [batch["sequences"][i] for i in batch["batch"]]
    expected = {"smoothed": smoothed(sequences), "weighted": weighted(sequences), "adafactor": adafactor(batch)}
    (HERE / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")
    for path in HERE.glob("*.safetensors"):
        path.chmod(0o644)


if __name__ == "__main__":
    main()

"""Makes the golden numbers of the optimizer, the clipping and the learning-rate schedules, with PyTorch and transformers.

Run in an environment with requirements.txt beside this file: `python make.py`. It rewrites the JSON files here:

adamw.json      torch.optim.AdamW in float32 on two tensors for five steps with given gradients
adafactor.json  transformers' Adafactor likewise: as its Trainer makes it, and with the class's own defaults
clip.json       torch.nn.utils.clip_grad_norm_, with and without effect
schedules.json  factor of the base learning rate used in step 0, 1, ..., by transformers' schedules
"""

import json
from pathlib import Path

import torch
import transformers

HERE = Path(__file__).parent
STEPS = 5


def numbers(tensor):
    """Flat list; a float32 is written as the double of the same value."""
    return tensor.detach().flatten().tolist()


def make_parameters(generator):
    return {
        "matrix": torch.randn((3, 4), generator=generator).requires_grad_(),
        "vector": torch.randn((5,), generator=generator).requires_grad_(),
    }


def adamw_case(name, learning_rates, weight_decay, betas=(0.9, 0.999), eps=1e-8):
    generator = torch.Generator().manual_seed(3)
    parameters = make_parameters(generator)
    optimizer = torch.optim.AdamW(parameters.values(), lr=1.0, betas=betas, eps=eps, weight_decay=weight_decay)
    case = trajectory(parameters, optimizer, learning_rates, generator)
    return {"name": name, "betas": list(betas), "eps": eps, "weightDecay": weight_decay, **case}


def adafactor_case(name, learning_rates, **options):
    """A learning rate of None is left to the optimizer, which then takes relative steps."""
    generator = torch.Generator().manual_seed(5)
    parameters = make_parameters(generator)
    rate = None if options.get("relative_step", True) else 1.0
    optimizer = transformers.Adafactor(parameters.values(), lr=rate, **options)
    case = trajectory(parameters, optimizer, learning_rates, generator)
    return {"name": name, "options": {**{"scale_parameter": True, "relative_step": True}, **options}, **case}


def trajectory(parameters, optimizer, learning_rates, generator):
    start = {key: numbers(value) for key, value in parameters.items()}
    steps = []
    for rate in learning_rates:
        for group in optimizer.param_groups:
            group["lr"] = rate
        for value in parameters.values():
            # Magnitudes from 1e-9 to 10, so that eps matters; one element of each tensor never has a gradient.
            magnitudes = 10.0 ** torch.linspace(-9, 1, value.numel()).view(value.shape)
            value.grad = torch.randn(value.shape, generator=generator) * magnitudes
            value.grad.view(-1)[1] = 0
        gradients = {key: numbers(value.grad) for key, value in parameters.items()}
        optimizer.step()
        values = {key: numbers(value) for key, value in parameters.items()}
        steps.append({"learningRate": rate, "gradients": gradients, "values": values})
    shapes = {key: list(value.shape) for key, value in parameters.items()}
    return {"shapes": shapes, "start": start, "steps": steps}


def clip_case(max_norm, scale):
    generator = torch.Generator().manual_seed(4)
    tensors = [torch.zeros(shape, requires_grad=True) for shape in ((2, 3), (4,))]
    for tensor in tensors:
        tensor.grad = torch.randn(tensor.shape, generator=generator) * scale
    before = [numbers(tensor.grad) for tensor in tensors]
    norm = torch.nn.utils.clip_grad_norm_(tensors, max_norm).item()
    return {"maxNorm": max_norm, "gradients": before, "norm": norm, "clipped": [numbers(t.grad) for t in tensors]}


def schedule_values(name, warmup, steps):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    if name == "cosine":
        scheduler = transformers.get_cosine_schedule_with_warmup(optimizer, warmup, steps)
    elif name == "linear":
        scheduler = transformers.get_linear_schedule_with_warmup(optimizer, warmup, steps)
    elif name == "constant":
        scheduler = transformers.get_constant_schedule(optimizer)
    else:
        scheduler = transformers.get_constant_schedule_with_warmup(optimizer, warmup)
    values = []
    for _ in range(steps + 2):  # two more than there are, to show what lies behind the end: cosine rises again
        values.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return {"name": name, "warmupSteps": warmup, "steps": steps, "values": values}


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


def main():
    torch.set_num_threads(1)
    write_json(HERE / "adamw.json", [
        adamw_case("no decay", [1e-2] * STEPS, 0.0),
        adamw_case("decay", [1e-2] * STEPS, 0.01),
        adamw_case("warm-up from zero, strong decay, other betas", [0.0, 5e-4, 1e-3, 7e-4, 2e-4], 0.1, (0.8, 0.95), 1e-6),
    ])  # fmt: skip
    cosine = schedule_values("cosine", 2, 10)["values"][:10]
    write_json(HERE / "adafactor.json", [
        adafactor_case("as the Trainer makes it, cosine with warm-up", [1e-3 * factor for factor in cosine],
                       scale_parameter=False, relative_step=False),
        adafactor_case("defaults", [None] * STEPS),
        adafactor_case("slow start", [None] * STEPS, warmup_init=True),
        adafactor_case("first moment, decay, scaled rate", [1e-2] * STEPS, relative_step=False, beta1=0.9, weight_decay=0.1),
    ])  # fmt: skip
    write_json(HERE / "clip.json", [clip_case(1.0, 2.0), clip_case(1.0, 0.1), clip_case(0.5, 1e-3), clip_case(1.0, 0.0)])
    lengths = [(0, 10), (2, 10), (3, 7), (5, 5), (1, 1), (10, 40)]
    names = ["cosine", "linear", "constant", "constant_with_warmup"]
    write_json(HERE / "schedules.json", [schedule_values(name, w, t) for name in names for w, t in lengths])


if __name__ == "__main__":
    main()

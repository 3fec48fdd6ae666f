"""Makes the golden numbers of a tiny Llama with grouped-query attention, with transformers, PEFT and PyTorch.

Run in an environment with requirements.txt beside this file: `python make.py`. It rewrites everything else here:

batch.json                    inputs and settings, the same for both variants
{tied,untied}/                a Hugging Face model folder (config.json, model.safetensors), and in it
  adapter/                    a LoRA on every linear of the blocks, B not zero, as PEFT saves it
  expected.json               losses, the ten training steps, greedy continuations
  logits.safetensors          base.0 .. base.2 and lora.0 .. lora.2: [positions, vocabulary] of each sequence of the batch
  lora_gradients.safetensors  gradient of the loss for every adapter tensor, under its PEFT key
  full_gradients.safetensors  gradient of the loss for every weight of the model without adapter
  trained.safetensors         the adapter after the ten steps, under PEFT keys

Everything is float32 with eager attention, one sequence at a time, so nothing is padded. A loss is the sum of
-log p over the target tokens (those from promptLength on) divided by their number in the batch or window.
"""

import json
import shutil
from pathlib import Path

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM, get_cosine_schedule_with_warmup

HERE = Path(__file__).parent
VOCABULARY = 67
SETTINGS = {
    "optimizer": {"lr": 1e-2, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01},
    "schedule": {"name": "cosine", "warmupSteps": 2, "steps": 10},
    "maxGradNorm": 1.0,
}
# One row a step, two micro-batches a row: indices of sequences. The targets differ from micro-batch to micro-batch,
# so that dividing each micro-batch by its own count gives other numbers than dividing the window by its count.
WINDOWS = [
    [[0], [1, 2]], [[3, 4], [5]], [[2], [0]], [[1], [3, 5]], [[4, 0], [2, 1]],
    [[5], [4]], [[0, 3], [1]], [[2], [5, 4]], [[3], [2]], [[1, 0], [4]],
]  # fmt: skip


def make_batch():
    def draw(length, seed):
        return torch.randint(0, VOCABULARY, (length,), generator=torch.Generator().manual_seed(seed)).tolist()

    shapes = [(13, 5), (9, 4), (16, 9), (11, 3), (7, 6), (14, 8)]
    return {
        "sequences": [{"ids": draw(length, length), "promptLength": prompt} for length, prompt in shapes],
        "batch": [0, 1, 2],
        "windows": WINDOWS,
        **SETTINGS,
        "greedy": {"prompt": draw(9, 36), "newTokens": 12},
    }


def make_model(tied):
    torch.manual_seed(1)
    config = LlamaConfig(
        hidden_size=32, head_dim=16, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=VOCABULARY, max_position_embeddings=64, rms_norm_eps=1e-5, rope_theta=10000.0,
        tie_word_embeddings=tied, attn_implementation="eager", bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    model = LlamaForCausalLM(config).to(torch.float32)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape) * 0.2
            parameter.copy_(1 + noise if name.endswith("norm.weight") else noise)
    return model.eval()


def add_lora(model):
    torch.manual_seed(2)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    config = LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, target_modules=targets, task_type="CAUSAL_LM", bias="none")
    model = get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in adapter_parameters(model):
            parameter.copy_(torch.randn(parameter.shape) * (0.2 if "lora_A" in name else 0.1))
    return model.eval()


def adapter_parameters(model):
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def peft_key(name):
    return name.replace(".default.", ".")


def logits_of(model, ids):
    return model(input_ids=torch.tensor([ids])).logits[0]


def nll_sum(model, sequence):
    """Sum of -log p over the targets: position i - 1 predicts token i."""
    ids, prompt = sequence["ids"], sequence["promptLength"]
    logits = logits_of(model, ids)
    return F.cross_entropy(logits[prompt - 1 : -1], torch.tensor(ids[prompt:]), reduction="sum")


def targets_of(sequences):
    return sum(len(s["ids"]) - s["promptLength"] for s in sequences)


def backward(model, micro_batches, sequences):
    """Accumulates the gradient of a window's loss and returns that loss."""
    model.zero_grad(set_to_none=True)
    total = targets_of([sequences[i] for micro in micro_batches for i in micro])
    loss = 0.0
    for micro in micro_batches:
        part = sum(nll_sum(model, sequences[i]) for i in micro) / total
        part.backward()
        loss += part.item()
    return loss


def check_against_own_loss(model, batch):
    """transformers' own loss on the padded batch is the same number, so the reading of "loss" above is theirs."""
    sequences = [batch["sequences"][i] for i in batch["batch"]]
    width = max(len(s["ids"]) for s in sequences)
    ids = torch.tensor([s["ids"] + [0] * (width - len(s["ids"])) for s in sequences])
    mask = torch.tensor([[1] * len(s["ids"]) + [0] * (width - len(s["ids"])) for s in sequences])
    labels = ids.clone()
    labels[mask == 0] = -100
    for row, sequence in enumerate(sequences):
        labels[row, : sequence["promptLength"]] = -100
    padded = model(input_ids=ids, attention_mask=mask, labels=labels, num_items_in_batch=targets_of(sequences)).loss
    alone = sum(nll_sum(model, s) for s in sequences) / targets_of(sequences)
    assert abs(padded.item() - alone.item()) < 1e-5, (padded.item(), alone.item())


def train(model, batch):
    """The ten steps; each row holds what was used in that step. The first warm-up step has a learning rate of 0."""
    parameters = [parameter for _, parameter in adapter_parameters(model)]
    settings = {**batch["optimizer"], "betas": tuple(batch["optimizer"]["betas"])}
    optimizer = torch.optim.AdamW(parameters, **settings)
    schedule = batch["schedule"]
    scheduler = get_cosine_schedule_with_warmup(optimizer, schedule["warmupSteps"], schedule["steps"])
    steps = []
    for window in batch["windows"]:
        loss = backward(model, window, batch["sequences"])
        norm = torch.nn.utils.clip_grad_norm_(parameters, batch["maxGradNorm"]).item()
        steps.append({"loss": loss, "gradNorm": norm, "learningRate": scheduler.get_last_lr()[0]})
        optimizer.step()
        scheduler.step()
    return steps


@torch.no_grad()
def greedy(model, prompt, count):
    """The most probable token `count` times; no end token stops it, and no choice is a near tie."""
    ids = list(prompt)
    for _ in range(count):
        best = logits_of(model, ids)[-1].topk(2)
        assert best.values[0] - best.values[1] > 2e-3, "a near tie: choose another seed"
        ids.append(best.indices[0].item())
    return ids[len(prompt) :]


@torch.no_grad()
def batch_logits(model, batch, prefix):
    rows = [logits_of(model, batch["sequences"][i]["ids"]) for i in batch["batch"]]
    return {f"{prefix}.{i}": row.contiguous() for i, row in enumerate(rows)}


def gradients(parameters):
    return {name: parameter.grad.clone().contiguous() for name, parameter in parameters}


def save_model(model, folder, tied):
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    config = json.loads((folder / "config.json").read_text())
    if not tied:  # the spelling of transformers 4, found in most folders; the tied variant keeps that of transformers 5
        config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
        config["torch_dtype"] = config.pop("dtype")
    write_json(folder / "config.json", config)
    again = LlamaForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    ids = list(range(12))
    assert torch.equal(logits_of(again, ids), logits_of(model, ids))


def save_adapter(model, folder):
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["target_modules"] = sorted(config["target_modules"])
    write_json(folder / "adapter_config.json", config)


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def make_variant(tied, batch):
    folder = HERE / ("tied" if tied else "untied")
    shutil.rmtree(folder, ignore_errors=True)
    model = make_model(tied)
    save_model(model, folder, tied)
    check_against_own_loss(model, batch)
    prompt, count = batch["greedy"]["prompt"], batch["greedy"]["newTokens"]

    base_loss = backward(model, [batch["batch"]], batch["sequences"])
    save_file(gradients(model.named_parameters()), folder / "full_gradients.safetensors")
    logits = batch_logits(model, batch, "base")
    base_greedy = greedy(model, prompt, count)

    tuned = add_lora(model)
    save_adapter(tuned, folder / "adapter")
    lora_loss = backward(tuned, [batch["batch"]], batch["sequences"])
    lora_gradients = {peft_key(name): grad for name, grad in gradients(adapter_parameters(tuned)).items()}
    save_file(lora_gradients, folder / "lora_gradients.safetensors")
    logits.update(batch_logits(tuned, batch, "lora"))
    save_file(logits, folder / "logits.safetensors")
    lora_greedy = greedy(tuned, prompt, count)

    steps = train(tuned, batch)
    save_file(get_peft_model_state_dict(tuned), folder / "trained.safetensors")
    write_json(folder / "expected.json", {
        "targets": targets_of([batch["sequences"][i] for i in batch["batch"]]),
        "loss": {"base": base_loss, "lora": lora_loss},
        "steps": steps,
        "greedy": {"base": base_greedy, "lora": lora_greedy},
    })  # fmt: skip


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    batch = make_batch()
    write_json(HERE / "batch.json", batch)
    for tied in (True, False):
        make_variant(tied, batch)
    for path in HERE.rglob("*.safetensors"):
        path.chmod(0o644)


if __name__ == "__main__":
    main()

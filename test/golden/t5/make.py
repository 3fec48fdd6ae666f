"""Makes the golden numbers of tiny T5s, with transformers, PEFT and PyTorch.

Run in an environment with requirements.txt beside this file: `python make.py [NAME...]`. Writes batch.json, buckets.json (where
the bucket of a distance changes, for several settings) and, for v1.0 (ReLU, tied) and v1.1 (gated GELU, untied), a folder

config.json, model.safetensors   a Hugging Face model folder in bf16
adapter/                         a LoRA on every linear of the blocks, B not zero, as PEFT saves it
expected.json                    losses and greedy continuations
logits.safetensors               base.0 .. and lora.0 ..: [answer, vocabulary] of each pair of the batch
lora_gradients.safetensors       gradient of the loss for every adapter tensor, under its PEFT key
full_gradients.safetensors       gradient of the loss for every weight of the model without adapter

Weights are representable in bf16; all arithmetic is float32 with eager attention, one pair at a time, so nothing is
padded; the padded batch is asserted to give the same loss. A loss is the sum of -log p over the answers' tokens divided
by their number.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import T5Config, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention

HERE = Path(__file__).parent
VOCABULARY = 61
NEW_TOKENS = 64
COMMON = dict(
    vocab_size=VOCABULARY, d_model=32, d_kv=8, d_ff=40, num_layers=2, num_decoder_layers=3, num_heads=2,
    relative_attention_num_buckets=8, relative_attention_max_distance=20, decoder_start_token_id=0,
    pad_token_id=0, eos_token_id=1, attn_implementation="eager",
)  # fmt: skip
VARIANTS = {"v1.0": ("relu", True), "v1.1": ("gated-gelu", False)}


def draw(length, seed):
    return torch.randint(2, VOCABULARY, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def make_batch():
    shapes = [(7, 5), (33, 12), (64, 9), (1, 20)]
    pairs = [{"source": draw(s, s), "answer": draw(a, 100 + a) + [1]} for s, a in shapes]
    return {"pairs": pairs, "greedy": {"source": draw(21, 36), "newTokens": NEW_TOKENS}}


def noise(shape, size):
    return (torch.randn(shape) * size).to(torch.bfloat16).to(torch.float32)


def make_model(name, seed):
    torch.manual_seed(seed)
    proj, tied = VARIANTS[name]
    model = T5ForConditionalGeneration(T5Config(**COMMON, feed_forward_proj=proj, tie_word_embeddings=tied))
    if not tied:  # as the published v1.1: a head of its own, which transformers 5 takes from the file alone
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            norm = key.endswith("layer_norm.weight")
            size = 1.0 if "relative_attention_bias" in key else 0.25
            if key.endswith((".q.weight", ".k.weight")):
                size = 0.125  # nothing divides the scores: larger ones would make attention choose one position only
            elif tied and key != "shared.weight":
                size *= 2  # a small embedding under the same matrix as head would only repeat itself
            parameter.copy_(1 + noise(parameter.shape, 0.125) if norm else noise(parameter.shape, size))
            parameter.copy_(parameter.to(torch.bfloat16).to(torch.float32))
    assert (model.lm_head.weight is model.shared.weight) == tied
    assert model.config.scale_decoder_outputs == tied
    return model.eval()


def add_lora(model):
    torch.manual_seed(2)
    gated = model.config.is_gated_act
    targets = ["q", "k", "v", "o", *(["wi_0", "wi_1"] if gated else ["wi"]), "wo"]
    config = LoraConfig(r=2, lora_alpha=4, lora_dropout=0.0, target_modules=targets, task_type="SEQ_2_SEQ_LM", bias="none")
    model = get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in trained(model):
            parameter.copy_(noise(parameter.shape, 0.2 if "lora_A" in name else 0.1))
    return model.eval()


def trained(model):
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def logits_of(model, source, given):
    return model(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([given])).logits[0]


def pair_logits(model, pair):
    return logits_of(model, pair["source"], [0] + pair["answer"][:-1])


def backward(model, pairs):
    model.zero_grad(set_to_none=True)
    total = sum(len(pair["answer"]) for pair in pairs)
    loss = 0.0
    for pair in pairs:
        part = F.cross_entropy(pair_logits(model, pair), torch.tensor(pair["answer"]), reduction="sum") / total
        part.backward()
        loss += part.item()
    return loss


def check_padded(model, pairs, loss):
    """transformers' own loss on the padded batch is the same number."""
    width, answers = max(len(p["source"]) for p in pairs), max(len(p["answer"]) for p in pairs)
    fill = lambda rows, size, value: torch.tensor([row + [value] * (size - len(row)) for row in rows])
    sources = fill([p["source"] for p in pairs], width, 0)
    mask = fill([[1] * len(p["source"]) for p in pairs], width, 0)
    labels = fill([p["answer"] for p in pairs], answers, -100)
    own = model(input_ids=sources, attention_mask=mask, labels=labels).loss.item()
    assert abs(own - loss) < 2e-5, (own, loss)


@torch.no_grad()
def greedy(model, source):
    ids = [0]
    for _ in range(NEW_TOKENS):
        best = logits_of(model, source, ids)[-1].topk(2)
        if best.values[0] - best.values[1] < 5e-4:
            return None
        ids.append(best.indices[0].item())
    return ids[1:] if len(set(ids[1:])) >= 6 else None


@torch.no_grad()
def batch_logits(model, batch, prefix):
    return {f"{prefix}.{i}": pair_logits(model, pair).contiguous() for i, pair in enumerate(batch["pairs"])}


def gradients(parameters):
    return {name.replace(".default.", "."): p.grad.clone().contiguous() for name, p in parameters}


def save_model(model, folder, tied):
    state = {key: value.to(torch.bfloat16) for key, value in model.state_dict().items() if "embed_tokens" not in key}
    if tied:
        state.pop("lm_head.weight")
    model.config.save_pretrained(folder)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    again = T5ForConditionalGeneration.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    assert torch.equal(logits_of(again, [5, 6, 7], [0, 9]), logits_of(model, [5, 6, 7], [0, 9]))
    assert (again.lm_head.weight is again.shared.weight) == tied
    if not tied:  # the spelling of transformers 4, which most published folders have
        config = json.loads((folder / "config.json").read_text())
        config.pop("scale_decoder_outputs")
        config["tie_word_embeddings"] = False
        write_json(folder / "config.json", config)


def make_variant(name, batch):
    source = batch["greedy"]["source"]
    for seed in range(1, 300):
        model = make_model(name, seed)
        base_greedy = greedy(model, source)
        lora_greedy = base_greedy and greedy(add_lora(model), source)
        if lora_greedy:
            break
    else:
        raise SystemExit(f"{name}: no seed without a near tie")
    model = make_model(name, seed)
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    save_model(model, folder, VARIANTS[name][1])
    base_loss = backward(model, batch["pairs"])
    check_padded(model, batch["pairs"], base_loss)
    save_file(gradients(model.named_parameters()), folder / "full_gradients.safetensors")
    logits = batch_logits(model, batch, "base")
    tuned = add_lora(model)
    tuned.save_pretrained(folder / "adapter")
    (folder / "adapter" / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter" / "adapter_config.json").read_text())
    config["target_modules"] = sorted(config["target_modules"])
    write_json(folder / "adapter" / "adapter_config.json", config)
    lora_loss = backward(tuned, batch["pairs"])
    save_file(gradients(trained(tuned)), folder / "lora_gradients.safetensors")
    logits.update(batch_logits(tuned, batch, "lora"))
    save_file(logits, folder / "logits.safetensors")
    write_json(folder / "expected.json", {
        "seed": seed,
        "loss": {"base": base_loss, "lora": lora_loss},
        "greedy": {"base": base_greedy, "lora": lora_greedy},
    })  # fmt: skip


def make_buckets():
    """Rows of [distance, bucket] wherever the bucket is another than at the distance before."""
    distances = torch.arange(-5000, 5001)
    rows = []
    for buckets, most in [(32, 128), (8, 20), (16, 40), (64, 512), (30, 100)]:
        for two_sided in (True, False):
            found = T5Attention._relative_position_bucket(distances, two_sided, buckets, most).tolist()
            changes = [[d, b] for i, (d, b) in enumerate(zip(distances.tolist(), found)) if i == 0 or found[i - 1] != b]
            rows.append({"buckets": buckets, "distance": most, "twoSided": two_sided, "changes": changes})
    (HERE / "buckets.json").write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    make_buckets()
    batch = make_batch()
    write_json(HERE / "batch.json", batch)
    for name in sys.argv[1:] or VARIANTS:
        make_variant(name, batch)
    for path in HERE.rglob("*.safetensors"):
        path.chmod(0o644)


if __name__ == "__main__":
    main()

"""Makes the golden numbers of tiny decoders of each architecture, with transformers, PEFT and PyTorch.

Run in an environment with requirements.txt beside this file: `python make.py [NAME...]`. Writes batch.json and, for each
variant of VARIANTS, a folder with

config.json, *.safetensors    a Hugging Face model folder in bf16, in shards where the variant says so
adapter/                      a LoRA on every linear of the blocks, B not zero, as PEFT saves it
model.gguf                    the same weights under GGUF's names, by the `gguf` package's own tables; Llama's q and k permuted
expected.json                 losses and greedy continuations
logits.safetensors            base.0 .. base.3 and lora.0 .. lora.3: [positions, vocabulary]
lora_gradients.safetensors    gradient of the loss for every adapter tensor, under its PEFT key
full_gradients.safetensors    gradient of the loss for every weight of the model without adapter

Weights are representable in bf16; all arithmetic is float32 with eager attention, one sequence at a time, so nothing is
padded. A loss is the sum of -log p over the target tokens (from promptLength on) divided by their number.
"""

import json
import math
import shutil
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

HERE = Path(__file__).parent
VOCABULARY = 61
NEW_TOKENS = 64
COMMON = dict(
    hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
    vocab_size=VOCABULARY, max_position_embeddings=160, rms_norm_eps=1e-5, attn_implementation="eager",
    bos_token_id=1, eos_token_id=2,
)  # fmt: skip
LLAMA3 = dict(
    rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
    original_max_position_embeddings=32,
)  # fmt: skip
VARIANTS = {
    # name: (config, model, GGUF architecture, shards)
    "llama3": (lambda: LlamaConfig(**COMMON, rope_parameters=LLAMA3, tie_word_embeddings=True), LlamaForCausalLM, "llama", False),
    "qwen2": (lambda: Qwen2Config(**COMMON, tie_word_embeddings=True), Qwen2ForCausalLM, "qwen2", True),
    "qwen2-untied": (lambda: Qwen2Config(**COMMON, tie_word_embeddings=False), Qwen2ForCausalLM, "qwen2", False),
    "qwen3": (lambda: Qwen3Config(**COMMON, head_dim=32, tie_word_embeddings=True), Qwen3ForCausalLM, "qwen3", False),
}  # fmt: skip


def draw(length, seed):
    return torch.randint(0, VOCABULARY, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def make_batch():
    shapes = [(13, 5), (9, 4), (16, 9), (130, 70)]
    return {
        "sequences": [{"ids": draw(length, length), "promptLength": prompt} for length, prompt in shapes],
        "greedy": {"prompt": draw(9, 36), "newTokens": NEW_TOKENS},
    }


def noise(shape, size):
    return (torch.randn(shape) * size).to(torch.bfloat16).to(torch.float32)


def make_model(config, kind, seed):
    torch.manual_seed(seed)
    model = kind(config).to(torch.float32)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            norm = name.endswith("norm.weight")
            parameter.copy_(1 + noise(parameter.shape, 0.125) if norm else noise(parameter.shape, 0.25))
            parameter.copy_(parameter.to(torch.bfloat16).to(torch.float32))
    return model.eval()


def add_lora(model):
    torch.manual_seed(2)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    config = LoraConfig(r=2, lora_alpha=4, lora_dropout=0.0, target_modules=targets, task_type="CAUSAL_LM", bias="none")
    model = get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in trained(model):
            parameter.copy_(noise(parameter.shape, 0.2 if "lora_A" in name else 0.1))
    return model.eval()


def trained(model):
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def logits_of(model, ids):
    return model(input_ids=torch.tensor([ids])).logits[0]


def backward(model, sequences):
    model.zero_grad(set_to_none=True)
    total = sum(len(s["ids"]) - s["promptLength"] for s in sequences)
    loss = 0.0
    for sequence in sequences:
        ids, prompt = sequence["ids"], sequence["promptLength"]
        logits = logits_of(model, ids)
        part = F.cross_entropy(logits[prompt - 1 : -1], torch.tensor(ids[prompt:]), reduction="sum") / total
        part.backward()
        loss += part.item()
    return loss


@torch.no_grad()
def greedy(model, prompt):
    """The most probable token NEW_TOKENS times; None where a choice is a near tie or all is one token."""
    ids = list(prompt)
    for _ in range(NEW_TOKENS):
        best = logits_of(model, ids)[-1].topk(2)
        if best.values[0] - best.values[1] < 5e-3:
            return None
        ids.append(best.indices[0].item())
    found = ids[len(prompt) :]
    return found if len(set(found[16:])) >= 4 else None


@torch.no_grad()
def batch_logits(model, batch, prefix):
    rows = [logits_of(model, s["ids"]) for s in batch["sequences"]]
    return {f"{prefix}.{i}": row.contiguous() for i, row in enumerate(rows)}


def gradients(parameters):
    return {name.replace(".default.", "."): p.grad.clone().contiguous() for name, p in parameters}


def save_model(model, folder, kind, sharded):
    half = kind(model.config).to(torch.bfloat16)
    half.load_state_dict(model.state_dict())
    half.save_pretrained(folder, **({"max_shard_size": "12KB"} if sharded else {}))
    (folder / "generation_config.json").unlink(missing_ok=True)
    again = kind.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    assert torch.equal(logits_of(again, list(range(12))), logits_of(model, list(range(12))))
    assert len(list(folder.glob("*.safetensors"))) > 1 or not sharded


def permuted(array, heads):
    """What llama.cpp's converter does to Llama's q and k: the halves of each head side by side."""
    return array.reshape(heads, 2, array.shape[0] // heads // 2, *array.shape[1:]).swapaxes(1, 2).reshape(array.shape)


def rope_factors(config, rope):
    """What llama.cpp's converter writes as rope_freqs.weight."""
    head = config.head_dim
    factors = []
    for i in range(0, head, 2):
        frequency = 1.0 / rope["rope_theta"] ** (i / head)
        length, context = 2 * math.pi / frequency, rope["original_max_position_embeddings"]
        low, high = rope["low_freq_factor"], rope["high_freq_factor"]
        smooth = (context / length - low) / (high - low)
        blended = 1 / ((1 - smooth) / rope["factor"] + smooth)
        factors.append(1 if length < context / high else rope["factor"] if length > context / low else blended)
    return np.array(factors, dtype=np.float32)


def save_gguf(model, path, architecture):
    config = model.config
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_eos_token_id(config.eos_token_id)
    if architecture == "qwen3":
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
    if config.rope_parameters["rope_type"] == "llama3":
        writer.add_tensor("rope_freqs.weight", rope_factors(config, config.rope_parameters))
    kind = {"llama": gguf.MODEL_ARCH.LLAMA, "qwen2": gguf.MODEL_ARCH.QWEN2, "qwen3": gguf.MODEL_ARCH.QWEN3}[architecture]
    names = gguf.get_tensor_name_map(kind, config.num_hidden_layers)
    for name, parameter in model.named_parameters():
        array = parameter.detach().numpy()
        if architecture == "llama" and ".q_proj." in name:
            array = permuted(array, config.num_attention_heads)
        if architecture == "llama" and ".k_proj." in name:
            array = permuted(array, config.num_key_value_heads)
        found = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if array.ndim == 1:
            writer.add_tensor(found, array)
        else:
            half = gguf.quants.quantize(array, gguf.GGMLQuantizationType.BF16)
            writer.add_tensor(found, half, raw_dtype=gguf.GGMLQuantizationType.BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def make_variant(name, batch):
    make_config, kind, architecture, sharded = VARIANTS[name]
    prompt = batch["greedy"]["prompt"]
    for seed in range(1, 200):
        model = make_model(make_config(), kind, seed)
        base_greedy = greedy(model, prompt)
        lora_greedy = base_greedy and greedy(add_lora(model), prompt)
        if lora_greedy:
            break
    else:
        raise SystemExit(f"{name}: no seed without a near tie")
    model = make_model(make_config(), kind, seed)
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    save_model(model, folder, kind, sharded)
    save_gguf(model, folder / "model.gguf", architecture)

    base_loss = backward(model, batch["sequences"])
    save_file(gradients(model.named_parameters()), folder / "full_gradients.safetensors")
    logits = batch_logits(model, batch, "base")
    tuned = add_lora(model)
    tuned.save_pretrained(folder / "adapter")
    (folder / "adapter" / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter" / "adapter_config.json").read_text())
    config["target_modules"] = sorted(config["target_modules"])
    write_json(folder / "adapter" / "adapter_config.json", config)
    lora_loss = backward(tuned, batch["sequences"])
    save_file(gradients(trained(tuned)), folder / "lora_gradients.safetensors")
    logits.update(batch_logits(tuned, batch, "lora"))
    save_file(logits, folder / "logits.safetensors")
    write_json(folder / "expected.json", {
        "seed": seed,
        "loss": {"base": base_loss, "lora": lora_loss},
        "greedy": {"base": base_greedy, "lora": lora_greedy},
    })  # fmt: skip


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    batch = make_batch()
    write_json(HERE / "batch.json", batch)
    for name in sys.argv[1:] or VARIANTS:
        make_variant(name, batch)
    for path in HERE.rglob("*.safetensors"):
        path.chmod(0o644)


if __name__ == "__main__":
    main()

"""Makes the golden numbers of tiny LongT5s, with transformers, PEFT and PyTorch.

Run in an environment with requirements.txt beside this file: `python make.py [NAME...]`. What it writes is as
../t5/make.py says, whose work most of this is, for `local` and `tglobal` (blocks of 128, sums of 16) and `narrow`, whose
blocks of 6 and sums of 5 divide no padded length. Sources are at, under and over the edges of blocks.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import LongT5Config, LongT5ForConditionalGeneration

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "t5"))
import make as t5  # noqa: E402

COMMON = {
    **{key: t5.COMMON[key] for key in ("vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_heads", "attn_implementation")},
    **dict(num_decoder_layers=2, relative_attention_num_buckets=16, relative_attention_max_distance=64),
    **dict(decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, tie_word_embeddings=False),
}  # fmt: skip
VARIANTS = {
    "local": dict(encoder_attention_type="local", feed_forward_proj="gated-gelu"),
    "tglobal": dict(encoder_attention_type="transient-global", feed_forward_proj="gated-gelu"),
    "narrow": dict(
        encoder_attention_type="transient-global", feed_forward_proj="relu", local_radius=5, global_block_size=5
    ),
}
SOURCES = {"local": [127, 128, 129, 383, 384, 385], "narrow": [4, 5, 6, 7, 29, 30, 31, 64]}
SOURCES["tglobal"] = [15, 16, *SOURCES["local"], 391]
GREEDY = {"local": 150, "tglobal": 150, "narrow": 33}


def make_batch(name):
    pairs = [{"source": t5.draw(s, s), "answer": t5.draw(3 + i, 100 + s) + [1]} for i, s in enumerate(SOURCES[name])]
    return {"pairs": pairs, "greedy": {"source": t5.draw(GREEDY[name], 36), "newTokens": t5.NEW_TOKENS}}


def make_model(name, seed):
    torch.manual_seed(seed)
    model = LongT5ForConditionalGeneration(LongT5Config(**COMMON, **VARIANTS[name]))
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            norm = key.endswith("layer_norm.weight")
            size = 1.0 if "relative_attention_bias" in key else 0.25
            if key.endswith((".q.weight", ".k.weight")):
                size = 0.125
            parameter.copy_(1 + t5.noise(parameter.shape, 0.125) if norm else t5.noise(parameter.shape, size))
            parameter.copy_(parameter.to(torch.bfloat16).to(torch.float32))
    assert model.lm_head.weight is not model.shared.weight and not model.config.scale_decoder_outputs
    return model.eval()


def add_lora(model):
    model.config.is_gated_act = model.config.feed_forward_proj != "relu"
    return t5.add_lora(model)


def save_model(model, folder):
    state = {key: value.to(torch.bfloat16) for key, value in model.state_dict().items() if "embed_tokens" not in key}
    model.config.save_pretrained(folder)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config.pop("scale_decoder_outputs", None)  # the spelling of transformers 4, which published folders have
    config["tie_word_embeddings"] = False
    t5.write_json(folder / "config.json", config)
    again = LongT5ForConditionalGeneration.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    assert torch.equal(t5.logits_of(again, [5, 6, 7], [0, 9]), t5.logits_of(model, [5, 6, 7], [0, 9]))


def make_variant(name):
    batch = make_batch(name)
    source = batch["greedy"]["source"]
    for seed in range(1, 300):
        base_greedy = t5.greedy(make_model(name, seed), source)
        lora_greedy = base_greedy and t5.greedy(add_lora(make_model(name, seed)), source)
        if lora_greedy:
            break
    else:
        raise SystemExit(f"{name}: no seed without a near tie")
    model = make_model(name, seed)
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    save_model(model, folder)
    base_loss = t5.backward(model, batch["pairs"])
    t5.check_padded(model, batch["pairs"], base_loss)
    save_file(t5.gradients(model.named_parameters()), folder / "full_gradients.safetensors")
    logits = t5.batch_logits(model, batch, "base")
    tuned = add_lora(model)
    tuned.save_pretrained(folder / "adapter")
    (folder / "adapter" / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter" / "adapter_config.json").read_text())
    config["target_modules"] = sorted(config["target_modules"])
    t5.write_json(folder / "adapter" / "adapter_config.json", config)
    lora_loss = t5.backward(tuned, batch["pairs"])
    save_file(t5.gradients(t5.trained(tuned)), folder / "lora_gradients.safetensors")
    logits.update(t5.batch_logits(tuned, batch, "lora"))
    save_file(logits, folder / "logits.safetensors")
    t5.write_json(folder / "expected.json", {
        "seed": seed,
        "batch": batch,
        "loss": {"base": base_loss, "lora": lora_loss},
        "greedy": {"base": base_greedy, "lora": lora_greedy},
    })  # fmt: skip
    print(name, seed, base_loss, lora_loss)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name in sys.argv[1:] or VARIANTS:
        make_variant(name)

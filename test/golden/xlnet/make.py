"""Makes the golden numbers of tiny XLNets, with transformers, PEFT, adapters and PyTorch.

Run twice, in environments with the requirements beside this file: `python make.py transformers` with requirements.txt,
then `python make.py adapters` with requirements-adapters.txt. The first writes sequences.json (prompts with answers, of
lengths around 32 and 64, and a prompt to continue), waves.json (of some distances) and, for `tied` (GELU) and `untied`
(ReLU, distances clamped), a folder

config.json, model.safetensors   a Hugging Face model folder in bf16
expected.json                    loss and greedy continuation
logits.safetensors               sequence.0 ..: [answer, vocabulary] of each sequence
gradients.safetensors            gradient of the loss for every weight

and kinds/lora/; the second the other kinds/CASE/: the adapter as the library saves it, its arrays not as they start but
random, with expected.json, logits.safetensors and gradients.safetensors as above.

Weights are representable in bf16; all arithmetic is float32, one sequence at a time, so nothing is padded; a batch that is
padded on the left is asserted to give the same loss. A prompt's tokens see each other, an answer's what is before them
(perm_mask), and every token of an answer is asked for by a query (target_mapping). A loss is the sum of -log p over the
answers' tokens divided by their number.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import XLNetConfig, XLNetLMHeadModel

HERE = Path(__file__).parent
NAME = "code"
VOCABULARY = 61
NEW_TOKENS = 64
COMMON = dict(vocab_size=VOCABULARY, d_model=32, n_layer=3, n_head=2, d_inner=40, pad_token_id=5, bos_token_id=1, eos_token_id=2)
VARIANTS = {
    "tied": dict(ff_activation="gelu", tie_word_embeddings=True),
    "untied": dict(ff_activation="relu", tie_word_embeddings=False, clamp_len=20),
}
SHAPES = [(20, 11), (20, 12), (20, 13), (40, 23), (31, 33), (33, 32), (1, 31), (60, 1)]
PEFT = {"lora": ("tied", dict(r=2, lora_alpha=3, lora_dropout=0.0, target_modules=["layer_1", "layer_2"], bias="none"))}
ADAPTERS = {
    "pfeiffer": ("tied", "seq_bn[reduction_factor=4]"),
    "pfeiffer-inv": ("tied", "seq_bn_inv[reduction_factor=4]"),
    "houlsby": ("untied", "double_seq_bn[reduction_factor=8]"),
    "houlsby-inv": ("untied", "double_seq_bn_inv[reduction_factor=8]"),
    "par-bn": ("tied", "par_bn[reduction_factor=4]"),
    "par-bn-inv": ("untied", 'par_bn[reduction_factor=4,inv_adapter="nice",inv_adapter_reduction_factor=2]'),
    "layers": ("tied", 'double_seq_bn[leave_out=[1],non_linearity="gelu",reduction_factor={"0":4,"default":8}]'),
}


def draw(length, seed):
    return torch.randint(6, VOCABULARY, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def make_sequences():
    sequences = [{"ids": draw(p, p) + draw(a - 1, 100 + a) + [2], "promptLength": p} for p, a in SHAPES]
    return {"sequences": sequences, "greedy": {"prompt": draw(37, 5), "newTokens": NEW_TOKENS}}


def noise(shape, size):
    return (torch.randn(shape) * size).to(torch.bfloat16).to(torch.float32)


def make_model(name, seed):
    torch.manual_seed(seed)
    model = XLNetLMHeadModel(XLNetConfig(**COMMON, **VARIANTS[name]))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            size = {"q": 0.3, "k": 0.3, "r": 0.3}.get(key.rsplit(".", 1)[-1], 0.25)
            if "embedding" in key or "mask_emb" in key:
                size = 0.5
            values = noise(parameter.shape, size)
            parameter.copy_((1 + values / 2 if key.endswith("layer_norm.weight") else values).to(torch.bfloat16))
    tied = VARIANTS[name]["tie_word_embeddings"]
    assert (model.lm_loss.weight is model.transformer.word_embedding.weight) == tied
    return model.eval()


def perm_mask(known, length):
    """1 where row i does not see column j: what is known sees what is known, the rest what is before it."""
    i, j = torch.arange(length)[:, None], torch.arange(length)[None, :]
    return ((j >= known) & ((i < known) | (j >= i))).float()


def target_mapping(first, length):
    return torch.eye(length)[first:]


def answer_logits(model, sequence):
    ids, known = sequence["ids"], sequence["promptLength"]
    mask, mapping = perm_mask(known, len(ids)), target_mapping(known, len(ids))
    return model(torch.tensor([ids]), perm_mask=mask[None], target_mapping=mapping[None], use_mems=False).logits[0]


def backward(model, sequences):
    model.zero_grad(set_to_none=True)
    total = sum(len(s["ids"]) - s["promptLength"] for s in sequences)
    loss = 0.0
    for sequence in sequences:
        answer = torch.tensor(sequence["ids"][sequence["promptLength"] :])
        part = F.cross_entropy(answer_logits(model, sequence), answer, reduction="sum") / total
        part.backward()
        loss += part.item()
    return loss


def check_padded(model, sequences, loss):
    """transformers' own loss on a batch padded on the left, as XLNet's tokenizer pads, is the same number."""
    width = max(len(s["ids"]) for s in sequences)
    most = max(len(s["ids"]) - s["promptLength"] for s in sequences)
    rows = {"input_ids": [], "attention_mask": [], "perm_mask": [], "target_mapping": [], "labels": []}
    for s in sequences:
        gap, known = width - len(s["ids"]), s["promptLength"]
        missing = most - (len(s["ids"]) - known)
        rows["input_ids"].append(torch.tensor([5] * gap + s["ids"]))
        rows["attention_mask"].append(torch.tensor([0.0] * gap + [1.0] * len(s["ids"])))
        rows["perm_mask"].append(perm_mask(gap + known, width))
        rows["target_mapping"].append(target_mapping(width - most, width))
        rows["labels"].append(torch.tensor([-100] * missing + s["ids"][known:]))
    own = model(**{key: torch.stack(value) for key, value in rows.items()}, use_mems=False).loss.item()
    assert abs(own - loss) < 2e-5, (own, loss)


@torch.no_grad()
def greedy(model, prompt):
    ids = list(prompt)
    while len(ids) < len(prompt) + NEW_TOKENS:
        asked = {"ids": ids + [0], "promptLength": len(prompt)}
        logits = answer_logits(model, asked)[-1]
        if len(ids) == len(prompt):  # where transformers' generation begins too
            inputs = model.prepare_inputs_for_generation(torch.tensor([ids]), use_mems=False)
            assert torch.allclose(model(**inputs).logits[0, -1], logits, atol=1e-5)
        best = logits.topk(2)
        if best.values[0] - best.values[1] < 5e-4:
            return None
        ids.append(best.indices[0].item())
    continued = ids[len(prompt) :]
    return continued if len(set(continued)) >= 6 else None


@torch.no_grad()
def save_logits(model, sequences, folder):
    logits = {f"sequence.{i}": answer_logits(model, s).contiguous() for i, s in enumerate(sequences)}
    save_file(logits, folder / "logits.safetensors")


def save_gradients(model, folder, rename=lambda name: name):
    found = {rename(name): p.grad.clone().contiguous() for name, p in model.named_parameters() if p.grad is not None}
    save_file(found, folder / "gradients.safetensors")


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def write_json(path, value, indent=None):
    path.write_text(json.dumps(value, indent=indent) + "\n")


def save_model(model, folder, tied):
    state = {key: value.to(torch.bfloat16) for key, value in model.state_dict().items()}
    if tied:
        state.pop("lm_loss.weight")
    model.config.save_pretrained(folder)
    save_file({key: value.contiguous() for key, value in state.items()}, folder / "model.safetensors", metadata={"format": "pt"})
    again, asked = open_base(folder.name), {"ids": [7, 8, 9], "promptLength": 2}
    assert torch.equal(answer_logits(again, asked), answer_logits(model, asked))
    config = json.loads((folder / "config.json").read_text())  # as published folders have it
    write_json(folder / "config.json", {key: value for key, value in config.items() if key != "dtype"}, indent=2)


def open_base(variant):
    return XLNetLMHeadModel.from_pretrained(HERE / variant, dtype=torch.float32).eval()


def make_variant(name, batch):
    for seed in range(1, 300):
        continued = greedy(make_model(name, seed), batch["greedy"]["prompt"])
        if continued:
            break
    else:
        raise SystemExit(f"{name}: no seed without a near tie")
    model, folder = make_model(name, seed), fresh(HERE / name)
    save_model(model, folder, VARIANTS[name]["tie_word_embeddings"])
    save_logits(model, batch["sequences"], folder)
    loss = backward(model, batch["sequences"])
    check_padded(model, batch["sequences"], loss)
    save_gradients(model, folder)
    write_json(folder / "expected.json", {"seed": seed, "loss": loss, "greedy": continued})


def make_waves():
    model = XLNetLMHeadModel(XLNetConfig(**{**COMMON, "d_model": 64}))
    waves = model.transformer.relative_positional_encoding(600, 600)[:, 0]
    rows = [0, 1, 88, 537, 599, 600, 601, 650, 1199]
    write_json(HERE / "waves.json", {"first": 600, "d_model": 64, "rows": {row: waves[row].tolist() for row in rows}})


@torch.no_grad()
def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.copy_(0.15 * torch.randn(parameter.shape, generator=generator))


def write_kind(name, case, library, batch):
    variant, options = case
    folder, model = fresh(HERE / "kinds" / name), library.make(open_base(variant), options)
    for seed in range(300):
        randomise(model, seed)
        continued = greedy(model, batch["greedy"]["prompt"])
        if continued:
            break
    else:
        raise SystemExit(f"{name}: no seed without a near tie")
    library.save(model, folder / "adapter")
    save_logits(model, batch["sequences"], folder)
    loss = backward(model, batch["sequences"])
    check_padded(model, batch["sequences"], loss)
    save_gradients(model, folder, lambda key: key.replace(".default.", "."))
    write_json(folder / "expected.json", {"base": variant, "seed": seed, "loss": loss, "greedy": continued})
    print(name, round(loss, 4), seed, len(continued))


class Peft:
    @staticmethod
    def make(model, options):
        from peft import LoraConfig, get_peft_model

        return get_peft_model(model, LoraConfig(**options)).eval()

    @staticmethod
    def save(model, folder):
        model.save_pretrained(folder)
        (folder / "README.md").unlink(missing_ok=True)
        config = json.loads((folder / "adapter_config.json").read_text())
        config["target_modules"] = sorted(config["target_modules"])
        config["base_model_name_or_path"] = None
        write_json(folder / "adapter_config.json", config, indent=2)


class Adapters:
    @staticmethod
    def make(model, options):
        import adapters

        sys.path.append(str(HERE.parents[2] / "docs" / "python"))
        import xlnet_adapters  # noqa: F401

        adapters.init(model)
        model.add_adapter(NAME, config=options)
        model.train_adapter(NAME)
        for key, parameter in model.named_parameters():
            parameter.requires_grad = f".{NAME}." in key
        return model.eval()

    @staticmethod
    def save(model, folder):
        model.save_adapter(folder, NAME, with_head=False)
        config = {**json.loads((folder / "adapter_config.json").read_text()), "model_name": "tiny"}
        write_json(folder / "adapter_config.json", config, indent=2)


def main(which):
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    batch = make_sequences()
    if which == "transformers":
        write_json(HERE / "sequences.json", batch)
        make_waves()
        for name in VARIANTS:
            make_variant(name, batch)
    cases, library = (PEFT, Peft) if which == "transformers" else (ADAPTERS, Adapters)
    for name, case in cases.items():
        write_kind(name, case, library, batch)
    for path in HERE.rglob("*.safetensors"):
        path.chmod(0o644)


if __name__ == "__main__":
    main(sys.argv[1])

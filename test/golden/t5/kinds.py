"""Makes the golden numbers of every kind of adapter on the tiny T5s beside this file.

Run twice, as ../adapters/make.py, whose work this is: `python kinds.py peft` and `python kinds.py adapters`. Each
rewrites its own cases, a folder kinds/CASE/ each with the files that ../adapters/make.py names (`logits.safetensors` is
of the first sequence's answer). sequences.json has the sequences: sources and answers of lengths around each other's, of
which a batch pads both.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import T5ForConditionalGeneration

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "adapters"))
import make  # noqa: E402

LORA = dict(r=2, lora_alpha=3, lora_dropout=0.0, task_type="SEQ_2_SEQ_LM", bias="none")
PEFT = {
    "lora": ("v1.0", {"target_modules": ["q", "v", "wo"]}),
    "rslora": ("v1.1", {"target_modules": ["k", "o", "wi_0"], "use_rslora": True}),
    "dora": ("v1.1", {"target_modules": ["q", "wi_1"], "use_dora": True}),
    "lora-layers": ("v1.0", {"target_modules": ["q", "wi"], "layers_to_transform": [1], "layers_pattern": "block"}),
    "lora-modules": ("v1.1", {"target_modules": ["v"], "modules_to_save": ["lm_head"]}),
}
ADAPTERS = {
    "pfeiffer": ("v1.0", "seq_bn[reduction_factor=4]"),
    "pfeiffer-inv": ("v1.1", "seq_bn_inv[reduction_factor=4]"),
    "pfeiffer-inv-tied": ("v1.0", "seq_bn_inv[reduction_factor=4]"),
    "houlsby": ("v1.1", "double_seq_bn[reduction_factor=8]"),
    "houlsby-inv": ("v1.0", "double_seq_bn_inv[reduction_factor=8]"),
    "par-bn": ("v1.0", "par_bn[reduction_factor=4]"),
    "par-bn-inv": ("v1.1", 'par_bn[reduction_factor=4,inv_adapter="nice",inv_adapter_reduction_factor=2]'),
    "cross-layers": ("v1.1", 'double_seq_bn[cross_adapter=True,leave_out=[1,2],reduction_factor={"0":4,"4":2,"default":8}]'),
    "hub-lora": ("v1.1", 'lora[r=2,alpha=3,attn_matrices=["q","k"],intermediate_lora=True,output_lora=True,leave_out=[0,2]]'),
    "hub-lora-relu": ("v1.0", 'lora[r=2,alpha=3,intermediate_lora=True]'),
}


def make_sequences():
    shapes = [(9, 3), (33, 31), (32, 32), (70, 12), (5, 33), (64, 1), (31, 20), (12, 9)]
    draw = lambda n, seed: torch.randint(2, 61, (n,), generator=torch.Generator().manual_seed(seed)).tolist()
    return [{"ids": draw(s, 7 * s) + draw(a - 1, 5 * a) + [1], "promptLength": s} for s, a in shapes]


def open_base(variant):
    return T5ForConditionalGeneration.from_pretrained(HERE / variant, attn_implementation="eager", dtype=torch.float32).eval()


def prepare():
    sequences = make_sequences()
    batch = make.BATCH
    short = [0, 6, 7]  # of one padded length, so that ten steps need no program but the first step's
    fit = lambda indices: [short[i % len(short)] for i in indices]
    make.BATCH = {
        **batch,
        "sequences": sequences,
        "batch": [0, 1, 3, 4, 5],
        "windows": [[fit(micro) for micro in window] for window in batch["windows"]],
    }
    make.HERE = HERE / "kinds"
    make.HERE.mkdir(exist_ok=True)
    make.open_base = open_base
    make.first_logits = make.answer_logits
    names = ("sequences", "batch", "windows", "optimizer", "schedule", "maxGradNorm")
    (make.HERE / "sequences.json").write_text(json.dumps({name: make.BATCH[name] for name in names}) + "\n")


def peft_model(variant, options, seed):
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(open_base(variant), LoraConfig(**LORA, **options))
    make.randomise(model, seed)
    return model.eval()


def main(which):
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    prepare()
    if which == "peft":
        for seed, (name, (variant, options)) in enumerate(PEFT.items()):
            make.write_case(name, variant, peft_model(variant, options, seed), make.Peft)
    else:
        for seed, (name, (variant, options)) in enumerate(ADAPTERS.items(), start=20):
            make.write_case(name, variant, make.Adapters.make(variant, options, seed, False), make.Adapters)


if __name__ == "__main__":
    main(sys.argv[1])

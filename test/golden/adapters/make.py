"""Makes the golden numbers of every kind of adapter on the tiny Llamas of ../llama, with PEFT or with adapters.

Run twice, in environments with the requirements beside this file: `python make.py peft` with requirements-peft.txt and
`python make.py adapters` with requirements-adapters.txt. Each rewrites its own cases, a folder CASE/ each:

adapter/                the adapter as the library saves it, its arrays not as they start but random, so that all of
                        them count
expected.json           base (folder of ../llama), loss, and for each trajectory the ten steps: loss, gradient norm, rate
logits.safetensors      [positions, vocabulary] of the first sequence of the batch
gradients.safetensors   gradient of the batch's loss for every trained array, under the library's key
OPTIMIZER-SCHEDULE.safetensors   the arrays after ten steps: adamw or adafactor (as Trainer sets it up), cosine or linear

Sequences, windows and settings are those of ../llama/batch.json; Adafactor's rate is in expected.json.
"""

import copy
import json
import shutil
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import LlamaForCausalLM, get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup
from transformers.optimization import Adafactor

HERE = Path(__file__).parent
LLAMA = HERE.parent / "llama"
BATCH = json.loads((LLAMA / "batch.json").read_text())
ADAFACTOR_RATE = 0.003
NAME = "code"


def open_base(variant):
    return LlamaForCausalLM.from_pretrained(LLAMA / variant, attn_implementation="eager", dtype=torch.float32).eval()


def trained_of(model):
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


@torch.no_grad()
def randomise(model, seed):
    """Every trained array gets values of a size that changes the output; modules trained whole move a little."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in trained_of(model):
        noise = torch.randn(parameter.shape, generator=generator)
        if "magnitude" in name or name.endswith(".m.weight"):
            parameter.mul_(1 + 0.1 * noise)
        elif "modules_to_save" in name:
            parameter.add_(0.02 * noise)
        else:
            parameter.copy_(0.15 * noise)


def answer_logits(model, sequence):
    """Of a sequence's answer: [answer, vocabulary]."""
    ids, prompt = sequence["ids"], sequence["promptLength"]
    if model.config.is_encoder_decoder:
        given = [model.config.decoder_start_token_id] + ids[prompt:-1]
        return model(input_ids=torch.tensor([ids[:prompt]]), decoder_input_ids=torch.tensor([given])).logits[0]
    return model(input_ids=torch.tensor([ids])).logits[0][prompt - 1 : -1]


def first_logits(model, sequence):
    return model(input_ids=torch.tensor([sequence["ids"]])).logits[0]


def nll_sum(model, sequence):
    answer = torch.tensor(sequence["ids"][sequence["promptLength"] :])
    return F.cross_entropy(answer_logits(model, sequence), answer, reduction="sum")


def backward(model, micro_batches):
    """Accumulates the gradient of a window's loss and returns that loss."""
    model.zero_grad(set_to_none=True)
    sequences = BATCH["sequences"]
    total = sum(len(sequences[i]["ids"]) - sequences[i]["promptLength"] for micro in micro_batches for i in micro)
    loss = 0.0
    for micro in micro_batches:
        part = sum(nll_sum(model, sequences[i]) for i in micro) / total
        part.backward()
        loss += part.item()
    return loss


def optimizer_of(name, parameters):
    if name == "adafactor":
        return Adafactor(parameters, lr=ADAFACTOR_RATE, scale_parameter=False, relative_step=False)
    settings = {**BATCH["optimizer"], "betas": tuple(BATCH["optimizer"]["betas"])}
    # Hugging Face's trainer leaves norm weights and biases undecayed: all that is not a matrix.
    groups = [
        {"params": [p for p in parameters if p.dim() > 1]},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], **settings)


def train(model, optimizer_name, schedule_name):
    parameters = [parameter for _, parameter in trained_of(model)]
    optimizer = optimizer_of(optimizer_name, parameters)
    make = {"cosine": get_cosine_schedule_with_warmup, "linear": get_linear_schedule_with_warmup}[schedule_name]
    scheduler = make(optimizer, BATCH["schedule"]["warmupSteps"], BATCH["schedule"]["steps"])
    steps = []
    for window in BATCH["windows"]:
        loss = backward(model, window)
        norm = torch.nn.utils.clip_grad_norm_(parameters, BATCH["maxGradNorm"]).item()
        steps.append({"loss": loss, "gradNorm": norm, "learningRate": scheduler.get_last_lr()[0]})
        optimizer.step()
        scheduler.step()
    return steps


def write_case(name, variant, model, library):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    library.save(model, folder / "adapter")
    with torch.no_grad():
        logits = first_logits(model, BATCH["sequences"][BATCH["batch"][0]])
        save_file({"logits": logits.contiguous()}, folder / "logits.safetensors")
    if name == "hub-dora":  # adapters lets gradients through the norm, PEFT and the paper do not: only outputs compare
        (folder / "expected.json").write_text(json.dumps({"base": variant}) + "\n")
        return
    loss = backward(model, [BATCH["batch"]])
    arrays = {library.key(name): p.grad.clone().contiguous() for name, p in trained_of(model)}
    save_file(arrays, folder / "gradients.safetensors")
    runs = {}
    for optimizer in ("adamw", "adafactor"):
        for schedule in ("cosine", "linear"):
            copied = copy.deepcopy(model)
            runs[f"{optimizer} {schedule}"] = train(copied, optimizer, schedule)
            arrays = {library.key(name): p.detach().clone().contiguous() for name, p in trained_of(copied)}
            save_file(arrays, folder / f"{optimizer}-{schedule}.safetensors")
    expected = {"base": variant, "loss": loss, "adafactorRate": ADAFACTOR_RATE, "runs": runs}
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    print(name, round(loss, 4), len(arrays), "arrays")


class Peft:
    CASES = {
        "lora": ("tied", {"target_modules": ["q_proj", "v_proj", "down_proj"]}),
        "rslora": ("untied", {"target_modules": ["k_proj", "up_proj"], "use_rslora": True}),
        "dora": ("tied", {"target_modules": ["q_proj", "o_proj", "gate_proj"], "use_dora": True}),
        "lora-layers": ("untied", {"target_modules": ["q_proj", "down_proj"], "layers_to_transform": [0, 2]}),
        "lora-modules": ("untied", {"target_modules": ["v_proj"], "modules_to_save": ["embed_tokens", "norm"]}),
        "lora-tied": (
            "tied",
            {"target_modules": ["v_proj"], "modules_to_save": ["embed_tokens"], "ensure_weight_tying": True},
        ),
    }

    @staticmethod
    def make(variant, options, seed):
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(r=2, lora_alpha=3, lora_dropout=0.0, task_type="CAUSAL_LM", bias="none", **options)
        model = get_peft_model(open_base(variant), config)
        randomise(model, seed)
        return model.eval()

    @staticmethod
    def key(name):
        return name.replace(".modules_to_save.default.", ".").replace(".default.", ".").replace(
            "lora_magnitude_vector.weight", "lora_magnitude_vector"
        )

    @staticmethod
    def save(model, folder):
        model.save_pretrained(folder)
        (folder / "README.md").unlink(missing_ok=True)
        path = folder / "adapter_config.json"
        config = json.loads(path.read_text())
        config["target_modules"] = sorted(config["target_modules"])
        config["base_model_name_or_path"] = None
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


class Adapters:
    CASES = {
        "pfeiffer": ("tied", "seq_bn[reduction_factor=4]"),
        "pfeiffer-inv": ("tied", "seq_bn_inv[reduction_factor=4]"),
        "houlsby": ("untied", "double_seq_bn[reduction_factor=8]"),
        "houlsby-inv": ("untied", "double_seq_bn_inv[reduction_factor=8]"),
        "par-bn": ("tied", "par_bn[reduction_factor=4]"),
        "par-bn-inv": ("tied", 'par_bn[reduction_factor=4,inv_adapter="nice",inv_adapter_reduction_factor=2]'),
        "pfeiffer-layers": (
            "tied",
            'seq_bn[leave_out=[1],non_linearity="gelu",reduction_factor={"0":4,"default":8},original_ln_before=False]',
        ),
        "hub-lora": ("untied", 'lora[r=2,alpha=3,attn_matrices=["q","k"],intermediate_lora=True,output_lora=True]'),
        "hub-dora": ("tied", 'lora[r=2,alpha=2,attn_matrices=["v"],use_dora=True,output_lora=True]'),
        "pfeiffer-inverse": ("tied", "seq_bn_inv[reduction_factor=4]"),
    }

    @staticmethod
    def make(variant, options, seed, flexible):
        import adapters

        base = open_base(variant)
        if flexible:
            from adapters import LlamaAdapterModel
            from adapters.heads import CausalLMHead

            model = LlamaAdapterModel.from_pretrained(LLAMA / variant, attn_implementation="eager", dtype=torch.float32)
            model.add_prediction_head(CausalLMHead(model, "lm"))  # the bare product, as a converted head has it
            model.tie_weights()
            assert torch.equal(model.get_output_embeddings().weight, base.get_output_embeddings().weight)
        else:
            model = base
            adapters.init(model)
        model.add_adapter(NAME, config=options)
        model.train_adapter(NAME)
        for name, parameter in model.named_parameters():
            parameter.requires_grad = f".{NAME}." in name
        randomise(model, seed)
        return model.eval()

    @staticmethod
    def key(name):
        return name

    @staticmethod
    def save(model, folder):
        model.save_adapter(folder, NAME, with_head=False)
        path = folder / "adapter_config.json"
        config = {**json.loads(path.read_text()), "model_name": "tiny"}  # else the path of this folder
        path.write_text(json.dumps(config, indent=2, sort_keys=True))


def main(which):
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    library = {"peft": Peft, "adapters": Adapters}[which]
    for seed, (name, (variant, options)) in enumerate(library.CASES.items()):
        more = (name == "pfeiffer-inverse",) if which == "adapters" else ()
        write_case(name, variant, library.make(variant, options, seed, *more), library)


if __name__ == "__main__":
    main(sys.argv[1])

"""Loads what we wrote with the library it was written for, and compares logits with ours.

python load.py CASES: a JSON file with a list of {library, model, adapter, logits}. `library` is `peft` (environment:
../golden/adapters/requirements-peft.txt), `adapters` or `adapters-safe` (requirements-adapters.txt; from
pytorch_adapter.bin or adapter.safetensors), `transformers` (`adapter` is a merged model's folder) or `peft-cat` (three
folders with commas: two and their combination with weights 0.7 and 0.4). `logits` is a safetensors file with `ids` [n]
(as f32), of a model with an encoder `source` too, and `logits` [n, vocabulary]. Prints a JSON object a case; every missing or unexpected key and every warning
that names keys is in it.
"""

import importlib
import json
import logging
import sys
from pathlib import Path
import warnings

import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

NAME = "codefudge"


def open_base(folder):
    config = AutoConfig.from_pretrained(folder)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    eager = {} if config.model_type == "xlnet" else {"attn_implementation": "eager"}
    return kind.from_pretrained(folder, dtype=torch.float32, **eager).eval()


def logits_of(model, ids):
    with torch.no_grad():
        if isinstance(ids, tuple):
            source, given = (part.long()[None] for part in ids)
            return model(input_ids=source, decoder_input_ids=given).logits[0]
        if model.config.model_type == "xlnet":
            return two_streams(model, ids.long()[None])
        return model(ids.long()[None]).logits[0]


def two_streams(model, ids):
    """What a query says after each of the ids, the first of which is the prompt."""
    given = torch.cat([ids, torch.zeros(1, 1, dtype=torch.long)], 1)
    i, j = torch.arange(given.shape[1])[:, None], torch.arange(given.shape[1])[None, :]
    mask = ((j > 0) & (j >= i)).float()[None]
    return model(given, perm_mask=mask, target_mapping=torch.eye(given.shape[1])[None, 1:], use_mems=False).logits[0]


def with_peft(base, folder, ids):
    from peft import PeftModel

    model = PeftModel.from_pretrained(base, folder).eval()
    adapted = logits_of(model, ids)
    return adapted, []


def with_adapters(base, folder, ids, safe):
    import adapters
    from adapters.loading import AdapterLoader

    if base.config.model_type in ("longt5", "xlnet"):  # which adapters does not know by itself
        sys.path.append(str(Path(__file__).parents[2] / "docs" / "python"))
        importlib.import_module(f"{base.config.model_type}_adapters")
    adapters.init(base)
    info = {}
    AdapterLoader(base, use_safetensors=safe).load(folder, loading_info=info, set_active=True)
    # The door that users take, with the head's files if there are any.
    base.load_adapter(folder, load_as="again", use_safetensors=safe)
    base.set_active_adapters(NAME)
    if (Path(folder) / "embedding.pt").exists():
        base.load_embeddings(folder, "trained")
    keys = [*info["missing_keys"], *info["unexpected_keys"]]
    return logits_of(base, ids), keys


def with_cat(base, folders, ids):
    from peft import PeftModel

    first, second, _ = folders.split(",")
    model = PeftModel.from_pretrained(base, first, adapter_name="a").eval()
    model.load_adapter(second, adapter_name="b")
    model.add_weighted_adapter(["a", "b"], [0.7, 0.4], "both", combination_type="cat")
    model.set_adapter("both")
    return logits_of(model, ids), []


def compare(library, model, adapter, logits):
    with safe_open(logits, "pt") as file:
        ids, ours = file.get_tensor("ids"), file.get_tensor("logits")
        if "source" in file.keys():
            ids = (file.get_tensor("source"), ids)
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logging.getLogger().addHandler(handler)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        base = open_base(model)
        plain = logits_of(base, ids)
        if library == "peft":
            adapted, keys = with_peft(base, adapter, ids)
        elif library == "peft-cat":
            adapted, keys = with_cat(base, adapter, ids)
        elif library == "transformers":
            adapted, keys = logits_of(open_base(adapter), ids), []
        else:
            adapted, keys = with_adapters(base, adapter, ids, safe=library == "adapters-safe")
    logging.getLogger().removeHandler(handler)
    lines += [str(w.message) for w in caught]
    said = [line for line in lines if any(word in line.lower() for word in ("missing", "unexpected", " key"))]
    return {
        "difference": float((adapted - ours).abs().max()),
        "effect": float((adapted - plain).abs().max()),
        "size": float(ours.abs().max()),
        "keys": keys + said,
    }


torch.set_num_threads(1)
for case in json.loads(open(sys.argv[1]).read()):
    print(json.dumps(compare(**case)), flush=True)

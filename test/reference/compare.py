"""Loads a base model folder and an adapter folder with transformers and PEFT, and compares logits with ours.

python compare.py MODEL ADAPTER LOGITS: LOGITS is a safetensors file with `ids` [n] (as f32) and `logits` [n, k] of the
vocabulary columns 0, stride, 2*stride…, `stride` being in the metadata. Prints one JSON object; every warning of a
missing or unexpected key is in it. Needs torch, transformers, peft, safetensors (versions in ../golden/llama).
"""

import json
import sys
import warnings

import torch
from peft import PeftModel
from safetensors import safe_open
from transformers import AutoModelForCausalLM

model_folder, adapter_folder, logits_file = sys.argv[1:4]
with safe_open(logits_file, "pt") as file:
    ids, ours = file.get_tensor("ids"), file.get_tensor("logits")
    stride = int(file.metadata()["stride"])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    base = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32, attn_implementation="eager")
    model = PeftModel.from_pretrained(base, adapter_folder).eval()
with torch.no_grad():
    tokens = ids.long()[None]
    adapted = model(tokens).logits[0]
    with model.disable_adapter():
        plain = model(tokens).logits[0]
keys = [str(w.message) for w in caught if "key" in str(w.message).lower() or "adapter" in str(w.message).lower()]
print(json.dumps({
    "difference": float((adapted[:, ::stride] - ours).abs().max()),
    "effect": float((adapted - plain).abs().max()),
    "warnings": keys,
}))

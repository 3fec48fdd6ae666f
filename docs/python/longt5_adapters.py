"""Lets AdapterHub's `adapters` (1.3) put bottlenecks and LoRAs on a LongT5, which it does not know by itself.

    import adapters, longt5_adapters
    model = LongT5ForConditionalGeneration.from_pretrained("google/long-t5-tglobal-base")
    adapters.init(model)
    model.load_adapter("path/to/adapter", set_active=True)

Places and names are those that `adapters` has for T5; importing this is all that is needed. Prefix tuning is left out.
"""

import sys
import types

from adapters.methods.lora import LoRALinear
from adapters.models import MODEL_MIXIN_MAPPING
from adapters.models.t5 import mixin_t5 as t5
from adapters.wrappers.configuration import CONFIG_CLASS_KEYS_MAPPING
from transformers.models.longt5 import modeling_longt5 as longt5


class Joined:
    """A sub-layer of which a bottleneck takes what it adds to the residual stream."""

    def forward(self, hidden_states, *args, **kwargs):
        outputs = self.original.forward(self, hidden_states, *args, **kwargs)
        first, *rest = outputs if isinstance(outputs, tuple) else (outputs,)
        joined = self.bottleneck_layer_forward(
            hidden_states=first - hidden_states, residual_input=hidden_states, layer_norm=None
        )
        return (joined, *rest) if isinstance(outputs, tuple) else joined


class Attention:
    """q, k and v can have a LoRA."""

    def init_adapters(self, model_config, adapters_config):
        for letter in "qkv":
            wrapped = LoRALinear.wrap(
                getattr(self, letter), "selfattn", model_config, adapters_config, attn_key=letter, bias=False
            )
            setattr(self, letter, wrapped)


class Cross(t5.T5CrossAttentionLayerAdaptersMixin):
    pass


class Block:
    def init_adapters(self, model_config, adapters_config):
        self.layer[-1].location_key = "self" if self.is_decoder else "encoder"


class Stack(t5.T5StackAdaptersMixin):
    """The encoder's embedding passes the invertible adapter."""

    def forward(self, input_ids=None, inputs_embeds=None, **kwargs):
        if not self.is_decoder and inputs_embeds is None:
            input_ids, inputs_embeds = None, self.post_embedding_forward(self.embed_tokens(input_ids))
        return self.original.forward(self, input_ids=input_ids, inputs_embeds=inputs_embeds, **kwargs)


PARTS = {
    "LongT5LayerFF": (Joined, t5.T5FFLayerAdaptersMixin),
    "LongT5LayerSelfAttention": (Joined, t5.T5SelfAttentionLayerAdaptersMixin),
    "LongT5LayerLocalSelfAttention": (Joined, t5.T5SelfAttentionLayerAdaptersMixin),
    "LongT5LayerTransientGlobalSelfAttention": (Joined, t5.T5SelfAttentionLayerAdaptersMixin),
    "LongT5LayerCrossAttention": (Joined, Cross),
    "LongT5Attention": (Attention,),
    "LongT5LocalAttention": (Attention,),
    "LongT5TransientGlobalAttention": (Attention,),
    "LongT5Stack": (Stack,),
}


def register():
    package = types.ModuleType("adapters.models.longt5")
    module = types.ModuleType("adapters.models.longt5.modeling_longt5")
    for name, mixins in PARTS.items():
        original = getattr(longt5, name)
        with_adapters = type(f"{name}WithAdapters", (*mixins, original), {"original": original})
        setattr(module, f"{name}WithAdapters", with_adapters)
    sys.modules[package.__name__], sys.modules[module.__name__] = package, module
    MODEL_MIXIN_MAPPING["LongT5Block"] = Block
    MODEL_MIXIN_MAPPING["LongT5Model"] = t5.T5ModelAdaptersMixin
    MODEL_MIXIN_MAPPING["LongT5ForConditionalGeneration"] = t5.T5ForCondiditionalGenerationWithHeadsMixin
    CONFIG_CLASS_KEYS_MAPPING["longt5"] = CONFIG_CLASS_KEYS_MAPPING["t5"]


register()

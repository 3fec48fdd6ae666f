"""Lets AdapterHub's `adapters` (1.3) put bottlenecks on an XLNet, which it does not know by itself.

    import adapters, xlnet_adapters
    model = XLNetLMHeadModel.from_pretrained("xlnet/xlnet-base-cased")
    adapters.init(model)
    model.load_adapter("path/to/adapter", set_active=True)

Its plug-in interface describes the bottlenecks after the feed-forward layer and the invertible adapter. What stands
behind attention there must be a module, and XLNet's projection is none: those bottlenecks are the class below.
"""

import torch
from adapters import AdapterModelInterface
from adapters.methods import METHOD_INIT_MAPPING
from adapters.methods.bottleneck import BottleneckLayer, init_bottleneck
from adapters.wrappers.interfaces import CUSTOM_INTERFACES
from transformers.models.xlnet.modeling_xlnet import XLNetRelativeAttention

INTERFACE = AdapterModelInterface(
    adapter_methods=["bottleneck", "invertible"],
    model_embeddings="word_embedding",
    model_layers="layer",
    layer_self_attn=None,
    layer_cross_attn=None,
    attn_q_proj="q",
    attn_k_proj="k",
    attn_v_proj="v",
    attn_o_proj=None,
    layer_intermediate_proj="ff.layer_1",
    layer_output_proj="ff.layer_2",
    layer_pre_ffn="ff",
)


class RelativeAttentionWithAdapters(XLNetRelativeAttention):
    """A bottleneck between the projection and the sum with what attention was given."""

    def post_attention(self, h, attn_vec, residual=True):
        attn_out = self.dropout(torch.einsum("ibnd,hnd->ibh", attn_vec, self.o))
        attn_out = self.bottlenecks[0](attn_out, h, None)
        return self.layer_norm(attn_out + h if residual else attn_out)


def init_with_attention(model):
    init_bottleneck(model)
    if model.base_model.adapter_interface is not INTERFACE:
        return
    for layer in model.base_model.layer:
        layer.attention_adapters = BottleneckLayer("mh_adapter", is_layer_hooked=True)
        layer.rel_attn.__class__ = RelativeAttentionWithAdapters
        layer.rel_attn.bottlenecks = [layer.attention_adapters]  # in a list, which registers nothing a second time


METHOD_INIT_MAPPING["bottleneck"] = init_with_attention
CUSTOM_INTERFACES["xlnet"] = INTERFACE

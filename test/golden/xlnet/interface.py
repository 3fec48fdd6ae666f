"""XLNet for adapters (adapter-hub.ml), which does not know it: `init(model)` makes ready an XLNetLMHeadModel.

What adapters' plug-in interface can describe it does: bottlenecks after the feed-forward layer and the invertible
adapter. Bottlenecks after attention need the few lines below, for the projection that they stand behind is no module.
"""

import adapters
import torch
from adapters import AdapterModelInterface
from adapters.methods.bottleneck import BottleneckLayer
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
    def post_attention(self, h, attn_vec, residual=True):
        attn_out = self.dropout(torch.einsum("ibnd,hnd->ibh", attn_vec, self.o))
        attn_out = self.bottlenecks[0](attn_out, h, None)
        return self.layer_norm(attn_out + h if residual else attn_out)


def init(model):
    adapters.init(model, interface=INTERFACE)
    for layer in model.transformer.layer:
        layer.attention_adapters = BottleneckLayer("mh_adapter", is_layer_hooked=True)
        layer.attention_adapters.init_adapters(model.config, model.adapters_config)
        layer.rel_attn.__class__ = RelativeAttentionWithAdapters
        layer.rel_attn.bottlenecks = [layer.attention_adapters]  # in a list, which registers nothing a second time

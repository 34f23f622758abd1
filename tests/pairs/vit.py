"""ViT of timm and `ViTForImageClassification`: one fused projection against three."""

from __future__ import annotations

import torch
from pairs.pair import Pair
from pairs.timm_models import create
from pairs.weights import load, randomize, renamed, split
from transformers import ViTConfig, ViTForImageClassification

from porting.runs import Inputs

DEPTH = 3


def build() -> Pair:
    """Three layers on 16 patches."""
    shape = {"img_size": 32, "patch_size": 8, "embed_dim": 48, "depth": DEPTH, "num_heads": 4, "num_classes": 7}
    original = create("vit_tiny_patch16_224", **shape)
    randomize(original)
    ported = ViTForImageClassification(
        ViTConfig(
            hidden_size=48,
            intermediate_size=192,
            num_hidden_layers=DEPTH,
            num_attention_heads=4,
            image_size=32,
            patch_size=8,
            layer_norm_eps=1e-6,
            num_labels=7,
        )
    )
    modules, state = _modules(), original.state_dict()
    values = renamed(state, modules)
    values["vit.embeddings.cls_token"] = state["cls_token"]
    values["vit.embeddings.position_embeddings"] = state["pos_embed"]
    for i in range(DEPTH):
        to = [f"vit.layers.{i}.attention.{name}_proj" for name in "qkv"]
        values |= split(state, f"blocks.{i}.attn.qkv", to)
        modules |= {f"blocks.{i}{end}": f"vit.layers.{i}{new}" for end, new in _CONTAINERS.items()}
    load(ported, values)
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return Pair(
        original.eval(),
        ported.eval(),
        Inputs(kwargs={"x": pixels}),
        Inputs(kwargs={"pixel_values": pixels}),
        {**modules, "patch_embed": "vit.embeddings.patch_embeddings"},
        lambda old, new: [("logits", old, new.logits)],
    )


_CONTAINERS = {"": "", ".attn": ".attention", ".mlp": ".mlp"}


def _modules() -> dict[str, str]:
    modules = {
        "patch_embed.proj": "vit.embeddings.patch_embeddings.projection",
        "norm": "vit.layernorm",
        "head": "classifier",
    }
    parts = {
        "norm1": "layernorm_before",
        "attn.proj": "attention.o_proj",
        "norm2": "layernorm_after",
        "mlp.fc1": "mlp.fc1",
        "mlp.fc2": "mlp.fc2",
    }
    for i in range(DEPTH):
        modules |= {f"blocks.{i}.{old}": f"vit.layers.{i}.{new}" for old, new in parts.items()}
    return modules

"""ViT of timm and `ViTForImageClassification`: one fused projection against three."""

from __future__ import annotations

import torch
from pairs.pair import Pair
from pairs.rules import converted, renamed_modules
from pairs.timm_models import create
from pairs.weights import load, randomize
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
    state = original.state_dict()
    load(ported, converted("vit", state, ported.config))
    modules = renamed_modules("vit", state)
    for i in range(DEPTH):
        modules |= {f"blocks.{i}{end}": f"vit.layers.{i}{new}" for end, new in _CONTAINERS.items()}
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

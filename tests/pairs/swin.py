"""Swin of timm and `SwinForImageClassification`: shifted windows, relative biases, merging at other places."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pairs.pair import Pair
from pairs.timm_models import create
from pairs.weights import State, load, randomize, renamed, split
from transformers import SwinConfig, SwinForImageClassification

from porting.runs import Inputs

DEPTHS, HEADS, WIDTH, WINDOW = (2, 2), (2, 4), 16, 4
PARTS = {
    "norm1": "layernorm_before",
    "attn.proj": "attention.o_proj",
    "norm2": "layernorm_after",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}


def build() -> Pair:
    """Two stages of two blocks, on 16 x 16 patches and then 8 x 8."""
    shape = {"img_size": 64, "patch_size": 4, "embed_dim": WIDTH, "depths": DEPTHS, "num_heads": HEADS}
    original = create("swin_tiny_patch4_window7_224", **shape, window_size=WINDOW, num_classes=7)
    randomize(original)
    ported = SwinForImageClassification(
        SwinConfig(
            image_size=64,
            patch_size=4,
            embed_dim=WIDTH,
            depths=list(DEPTHS),
            num_heads=list(HEADS),
            window_size=WINDOW,
            num_labels=7,
        )
    )
    modules, state = _modules(), original.state_dict()
    load(ported, {**renamed(state, modules), **_attention(state)})
    for old, new in _blocks():
        modules |= {old: new, f"{old}.attn": f"{new}.attention", f"{old}.mlp": f"{new}.mlp"}
    modules["layers.1.downsample"] = "swin.encoder.layers.0.downsample"
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    return Pair(
        original.eval(),
        ported.eval(),
        Inputs(kwargs={"x": pixels}),
        Inputs(kwargs={"pixel_values": pixels}),
        modules,
        lambda old, new: [("logits", old, new.logits)],
    )


def _modules() -> dict[str, str]:
    """Without the stages, which merge patches before their blocks there, and after them here."""
    modules = {
        "patch_embed.proj": "swin.embeddings.patch_embeddings.projection",
        "patch_embed.norm": "swin.embeddings.norm",
        "layers.1.downsample.norm": "swin.encoder.layers.0.downsample.norm",
        "layers.1.downsample.reduction": "swin.encoder.layers.0.downsample.reduction",
        "norm": "swin.layernorm",
        "head.fc": "classifier",
    }
    for old, new in _blocks():
        modules |= {f"{old}.{a}": f"{new}.{b}" for a, b in PARTS.items()}
    return modules


def _blocks() -> list[tuple[str, str]]:
    places = [f"layers.{stage}.blocks.{i}" for stage, depth in enumerate(DEPTHS) for i in range(depth)]
    return [(place, f"swin.encoder.{place}") for place in places]


def _attention(state: Mapping[str, torch.Tensor]) -> State:
    values: State = {}
    for old, new in _blocks():
        values |= split(state, f"{old}.attn.qkv", [f"{new}.attention.{name}_proj" for name in "qkv"])
        table = state[f"{old}.attn.relative_position_bias_table"]
        values[f"{new}.attention.relative_position_bias.relative_position_bias_table"] = table
    return values

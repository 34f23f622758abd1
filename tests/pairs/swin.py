"""Swin of timm and `SwinForImageClassification`: shifted windows, relative biases, merging at other places."""

from __future__ import annotations

import torch
from pairs.pair import Pair
from pairs.rules import converted, renamed_modules
from pairs.timm_models import create
from pairs.weights import load, randomize
from transformers import SwinConfig, SwinForImageClassification

from porting.runs import Inputs

DEPTHS, HEADS, WIDTH, WINDOW = (2, 2), (2, 4), 16, 4


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
    state = original.state_dict()
    load(ported, converted("swin", state, ported.config))
    modules = renamed_modules("swin", state)
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


def _blocks() -> list[tuple[str, str]]:
    places = [f"layers.{stage}.blocks.{i}" for stage, depth in enumerate(DEPTHS) for i in range(depth)]
    return [(place, f"swin.encoder.{place}") for place in places]

"""ConvNeXt of timm and `ConvNextForImageClassification`: channels first and last, scaled layers, another pooling."""

from __future__ import annotations

import torch
from pairs.pair import Pair
from pairs.rules import converted, renamed_modules
from pairs.timm_models import create
from pairs.weights import load, randomize
from transformers import ConvNextConfig, ConvNextForImageClassification

from porting.runs import Inputs

DEPTHS, WIDTHS = (1, 2, 1, 1), (8, 12, 16, 24)


def build() -> Pair:
    """Five blocks in four stages."""
    original = create("convnext_tiny", depths=DEPTHS, dims=WIDTHS, num_classes=7)
    randomize(original)
    ported = ConvNextForImageClassification(
        ConvNextConfig(depths=list(DEPTHS), hidden_sizes=list(WIDTHS), num_labels=7, image_size=64)
    )
    state = original.state_dict()
    load(ported, converted("convnext", state, ported.config))
    modules = renamed_modules("convnext", state)
    for old, new in _blocks():
        modules |= {old: new, f"{old}.mlp.act": f"{new}.act"}
    modules |= {f"stages.{stage}": f"convnext.encoder.stages.{stage}" for stage in range(len(DEPTHS))}
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    return Pair(
        original.eval(),
        ported.eval(),
        Inputs(kwargs={"x": pixels}),
        Inputs(kwargs={"pixel_values": pixels}),
        modules,
        lambda old, new: [("logits", old, new.logits)],
        attentions=(),
    )


def _blocks() -> list[tuple[str, str]]:
    return [
        (f"stages.{stage}.blocks.{i}", f"convnext.encoder.stages.{stage}.layers.{i}")
        for stage, depth in enumerate(DEPTHS)
        for i in range(depth)
    ]

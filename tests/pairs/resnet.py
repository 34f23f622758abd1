"""ResNet of timm and `ResNetForImageClassification`: convolutions and batch norms, no attention."""

from __future__ import annotations

import torch
from pairs.pair import Pair
from pairs.rules import converted, renamed_modules
from pairs.timm_models import create
from pairs.weights import load, randomize
from transformers import ResNetConfig, ResNetForImageClassification

from porting.runs import Inputs

DEPTHS = (1, 2, 1, 1)


def build() -> Pair:
    """Five bottleneck blocks."""
    original = create("resnet50", layers=DEPTHS, channels=(8, 12, 16, 24), num_classes=7)
    randomize(original, _special)
    ported = ResNetForImageClassification(
        ResNetConfig(
            embedding_size=64,
            hidden_sizes=[32, 48, 64, 96],
            depths=list(DEPTHS),
            layer_type="bottleneck",
            num_labels=7,
        )
    )
    state = original.state_dict()
    load(ported, converted("resnet", state, ported.config))
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    return Pair(
        original.eval(),
        ported.eval(),
        Inputs(kwargs={"x": pixels}),
        Inputs(kwargs={"pixel_values": pixels}),
        {**renamed_modules("resnet", state), **_containers()},
        lambda old, new: [("logits", old, new.logits)],
        attentions=(),
    )


def _special(name: str, noise: torch.Tensor) -> torch.Tensor | None:
    """One layer with small activations, as trained networks have them: there the epsilon counts."""
    if name == "layer1.0.conv2.weight":
        return torch.as_tensor(0.05 * noise / noise[0].numel() ** 0.5)
    if name == "layer1.0.bn2.running_var":
        return 0.0025 * (1 + 0.5 * noise.abs())
    return 0.01 * noise if name == "layer1.0.bn2.running_mean" else None


def _containers() -> dict[str, str]:
    """The stages, their blocks, the shortcut of each first one; and the pooling."""
    modules = {"maxpool": "resnet.embedder.pooler"}
    for stage, depth in enumerate(DEPTHS):
        old, new = f"layer{stage + 1}", f"resnet.encoder.stages.{stage}"
        modules |= {old: new, f"{old}.0.downsample": f"{new}.layers.0.shortcut"}
        modules |= {f"{old}.{i}": f"{new}.layers.{i}" for i in range(depth)}
    return modules

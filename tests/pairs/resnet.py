"""ResNet of timm and `ResNetForImageClassification`: convolutions and batch norms, no attention."""

from __future__ import annotations

import torch
from pairs.pair import Pair
from pairs.timm_models import create
from pairs.weights import load, randomize, renamed
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
    modules = _modules()
    load(ported, renamed(original.state_dict(), modules))
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


def _special(name: str, noise: torch.Tensor) -> torch.Tensor | None:
    """One layer with small activations, as trained networks have them: there the epsilon counts."""
    if name == "layer1.0.conv2.weight":
        return torch.as_tensor(0.05 * noise / noise[0].numel() ** 0.5)
    if name == "layer1.0.bn2.running_var":
        return 0.0025 * (1 + 0.5 * noise.abs())
    return 0.01 * noise if name == "layer1.0.bn2.running_mean" else None


def _modules() -> dict[str, str]:
    modules = {
        "conv1": "resnet.embedder.embedder.convolution",
        "bn1": "resnet.embedder.embedder.normalization",
        "maxpool": "resnet.embedder.pooler",
        "fc": "classifier.1",
    }
    for stage, depth in enumerate(DEPTHS):
        modules[f"layer{stage + 1}"] = f"resnet.encoder.stages.{stage}"
        for i in range(depth):
            modules |= _block(f"layer{stage + 1}.{i}", f"resnet.encoder.stages.{stage}.layers.{i}", shortcut=i == 0)
    return modules


def _block(old: str, new: str, *, shortcut: bool) -> dict[str, str]:
    modules = {old: new}
    for i in range(3):
        modules[f"{old}.conv{i + 1}"] = f"{new}.layer.{i}.convolution"
        modules[f"{old}.bn{i + 1}"] = f"{new}.layer.{i}.normalization"
    if shortcut:
        ends = {"": "", ".0": ".convolution", ".1": ".normalization"}
        modules |= {f"{old}.downsample{a}": f"{new}.shortcut{b}" for a, b in ends.items()}
    return modules

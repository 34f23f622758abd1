"""Bugs of convolutions: padding, its side, stride, dilation."""

from __future__ import annotations

from mutants.editing import within
from mutants.mutant import mutant
from torch import nn


@mutant("conv-geometry", whisper="model.encoder.conv1")
def padding_replicated(model: nn.Module, path: str) -> None:
    """Borders are padded with their own values, not with zeros."""
    convolution = within(model, path)
    convolution.padding_mode, convolution._reversed_padding_repeated_twice = "replicate", [1, 1]


@mutant("conv-geometry", encodec=("encoder.layers.0", "encoder.layers.0.conv"))
def padding_mode(model: nn.Module, path: str) -> None:
    """Borders are padded with their own values, not reflected."""
    within(model, path).pad_mode = "replicate"


@mutant("conv-geometry", encodec=("encoder.layers.3", "encoder.layers.3.conv"))
def causal_missing(model: nn.Module, path: str) -> None:
    """A causal convolution is padded on both sides."""
    within(model, path).causal = False


@mutant("conv-geometry", encodec=("decoder.layers.3", "decoder.layers.3.conv"))
def trimmed_at_the_front(model: nn.Module, path: str) -> None:
    """A transposed convolution is trimmed at the front, not at the end."""
    within(model, path).trim_right_ratio = 0.0


@mutant(
    "conv-geometry",
    resnet="resnet.encoder.stages.1.layers.1.layer.1.convolution",
    convnext="convnext.encoder.stages.0.layers.0.dwconv",
)
def dilated(model: nn.Module, path: str) -> None:
    """A convolution is dilated."""
    convolution = within(model, path)
    convolution.dilation = (2, 2)
    convolution.padding = tuple(2 * width for width in convolution.padding)


@mutant(
    "conv-geometry",
    resnet=(
        "resnet.encoder.stages.1.layers.0.layer.0.convolution",
        "resnet.encoder.stages.1.layers.0",
        "resnet.encoder.stages.1.layers.0.layer.1.convolution",
    ),
)
def stride_in_first(model: nn.Module, path: str) -> None:
    """A bottleneck strides in its first convolution, not in its second."""
    first = within(model, path)
    second = within(model, path.replace("layer.0.convolution", "layer.1.convolution"))
    first.stride, second.stride = second.stride, first.stride


@mutant("conv-geometry", resnet="resnet.embedder.embedder.convolution")
def padding_reflected(model: nn.Module, path: str) -> None:
    """Borders of the picture are reflected, not zero."""
    convolution = within(model, path)
    convolution.padding_mode = "reflect"


@mutant("conv-geometry", encodec=("encoder.layers.6", "encoder.layers.6.conv"))
def not_causal_here(model: nn.Module, path: str) -> None:
    """A strided causal convolution is padded on both sides."""
    within(model, path).causal = False


@mutant("conv-geometry", convnext="convnext.encoder.stages.3.layers.0.dwconv")
def padding_shifted(model: nn.Module, path: str) -> None:
    """All padding of a convolution is at one side of each axis."""
    convolution = within(model, path)
    width, height = convolution.padding
    convolution.padding_mode = "constant"
    convolution._reversed_padding_repeated_twice = [2 * height, 0, 2 * width, 0]

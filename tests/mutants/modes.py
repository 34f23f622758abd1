"""Bugs of modes and precision: training mode, dropout, low-precision arithmetic."""

from __future__ import annotations

from typing import Any

import torch
from mutants.editing import behave, within
from mutants.mutant import mutant
from torch import nn


@mutant("dropout-active", bert="encoder.layer.1.output.dropout")
def dropout_active(model: nn.Module, path: str) -> None:
    """One dropout is left in training mode."""
    within(model, path).train()


@mutant(
    "dropout-active",
    whisper="model.encoder.layers.1",
)
def functional_dropout_active(model: nn.Module, path: str) -> None:
    """The dropout in a layer's own forward is active."""
    layer = within(model, path)
    layer.dropout, layer.training = 0.1, True


@mutant(
    "dropout-active",
    vit=("vit.layers.2.attention", "vit.layers.2.attention.o_proj"),
    llama=("model.layers.0.self_attn", "model.layers.0.self_attn.o_proj"),
)
def attention_dropout_active(model: nn.Module, path: str) -> None:
    """The dropout within attention is active."""
    attention = within(model, path)
    attention.attention_dropout, attention.training = 0.2, True


@mutant("batch-norm-training", "dropout-active", resnet="resnet.encoder.stages.2.layers.0.layer.1.normalization")
def batch_norm_training(model: nn.Module, path: str) -> None:
    """A batch norm uses the statistics of the batch."""
    within(model, path).train()


@mutant("compute-dtype", "dtype-cast", whisper="model.encoder.layers.1", swin="swin.encoder.layers.0.blocks.1")
def layer_bfloat16(model: nn.Module, path: str) -> None:
    """What a layer returns is cast to bfloat16 and back."""

    def forward(self: Any, usual: Any, *args: Any, **kwargs: Any) -> Any:
        result = usual(*args, **kwargs)
        return _rounded(result) if isinstance(result, torch.Tensor) else (_rounded(result[0]), *result[1:])

    behave(within(model, path), forward)


@mutant("compute-dtype", "dtype-cast", llama="model.norm", mamba="backbone.layers.0.norm")
def norm_bfloat16(model: nn.Module, path: str) -> None:
    """A norm is computed in bfloat16."""
    behave(within(model, path), lambda self, usual, hidden: _rounded(usual(_rounded(hidden))))


def _rounded(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.bfloat16().to(tensor.dtype)

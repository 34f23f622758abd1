"""Bugs of windows and relative positions: their reach, shift, mask and bias, and the merging of patches."""

from __future__ import annotations

from typing import Any

import torch
from mutants.attending import Attention, attend
from mutants.editing import behave, edit, within
from mutants.mutant import mutant
from torch import nn


@mutant(
    "attention-window",
    "attention-mask",
    gemma2=("model.layers.2.self_attn", "model.layers.2.self_attn.o_proj"),
)
def window_missing(model: nn.Module, path: str) -> None:
    """A layer with a window sees everything before."""

    class Unbounded(Attention):
        def masked(self, scores: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
            return super().masked(scores, torch.ones(scores.shape[-2:], dtype=torch.bool).tril())

    attend(model, path, Unbounded)


@mutant(
    "attention-window",
    "attention-mask",
    gemma2=("model.layers.0.self_attn", "model.layers.0.self_attn.o_proj"),
)
def window_off_by_one(model: nn.Module, path: str) -> None:
    """A window reaches one token further."""

    class OneFurther(Attention):
        def masked(self, scores: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
            further = allowed.clone()
            further[..., :-1] |= allowed[..., 1:]
            causal = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
            return super().masked(scores, further & causal)

    attend(model, path, OneFurther)


@mutant("attention-window", "attention-mask", swin="swin.encoder.layers.0.blocks.1")
def shift_missing(model: nn.Module, path: str) -> None:
    """Windows are not shifted."""
    within(model, path).shift_size = 0


@mutant(
    "attention-mask",
    swin=("swin.encoder.layers.0.blocks.1", "swin.encoder.layers.0.blocks.1.attention"),
)
def shift_mask_missing(model: nn.Module, path: str) -> None:
    """Shifted windows see across the border of the picture."""

    def forward(self: Any, usual: Any, hidden_states: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        return usual(hidden_states, None, **kwargs)

    behave(within(model, path).attention, forward)


@mutant(
    "relative-bias",
    "not-loaded",
    swin=(
        "swin.encoder.layers.1.blocks.0.attention.relative_position_bias",
        "swin.encoder.layers.1.blocks.0.attention",
        "swin.encoder.layers.1.blocks.0.attention.o_proj",
    ),
)
def relative_bias_missing(model: nn.Module, path: str) -> None:
    """Scores have no bias for the distance."""
    edit(within(model, path).relative_position_bias_table, 0.0)


@mutant(
    "relative-bias",
    "buffer-wrong",
    "permuted",
    swin=(
        "swin.encoder.layers.0.blocks.0.attention.relative_position_bias",
        "swin.encoder.layers.0.blocks.0.attention",
        "swin.encoder.layers.0.blocks.0.attention.o_proj",
    ),
)
def relative_bias_transposed(model: nn.Module, path: str) -> None:
    """The bias of a distance is that of the opposite one."""
    index = within(model, path).relative_position_index
    side = int(len(index) ** 0.5)
    edit(index, index.reshape(side, side).t().reshape(-1))


@mutant(
    "concat-order",
    "permuted",
    swin=("swin.encoder.layers.0.downsample", "swin.encoder.layers.0.downsample.norm"),
)
def merged_by_row(model: nn.Module, path: str) -> None:
    """The four patches that are merged are put together row by row, not column by column."""

    def forward(self: Any, usual: Any, input_feature: torch.Tensor, input_dimensions: tuple[int, int]) -> torch.Tensor:
        batch, _, channels = input_feature.shape
        grid = input_feature.view(batch, *input_dimensions, channels)
        patches = torch.cat([grid[:, row::2, column::2] for row in range(2) for column in range(2)], dim=-1)
        return torch.as_tensor(self.reduction(self.norm(patches.view(batch, -1, 4 * channels))))

    behave(within(model, path), forward)

"""Bugs of attention: its scale, mask, heads and softmax."""

from __future__ import annotations

from typing import Any

import torch
from mutants.attending import Attention, attend
from mutants.editing import behave, within
from mutants.mutant import mutant
from torch import nn
from torch.nn import functional as F


@mutant("attention-scale", esm2=("esm.encoder.layer.1.attention.self", "esm.encoder.layer.1.attention.output.dense"))
def scale_by_width(model: nn.Module, path: str) -> None:
    """The scale is taken from the width of the model, not the size of a head."""

    class ScaledByWidth(Attention):
        def scale(self, usual: float, query: torch.Tensor) -> float:
            return float((query.shape[-1] * query.shape[1]) ** -0.5)

    attend(model, path, ScaledByWidth)


@mutant(
    "attention-scale",
    whisper=("model.encoder.layers.1.self_attn", "model.encoder.layers.1.self_attn.out_proj"),
    mixtral=("model.layers.1.self_attn", "model.layers.1.self_attn.o_proj"),
)
def scale_twice(model: nn.Module, path: str) -> None:
    """Scaled again, where the query was scaled beforehand."""

    class ScaledTwice(Attention):
        def scale(self, usual: float, query: torch.Tensor) -> float:
            return float(usual * query.shape[-1] ** -0.5)

    attend(model, path, ScaledTwice)


@mutant("attention-scale", vit=("vit.layers.2.attention", "vit.layers.2.attention.o_proj"))
def scale_missing(model: nn.Module, path: str) -> None:
    """Scores are not scaled."""

    class Unscaled(Attention):
        def scale(self, usual: float, query: torch.Tensor) -> float:
            return 1.0

    attend(model, path, Unscaled)


@mutant(
    "causal-mask",
    "attention-mask",
    llama=("model.layers.1.self_attn", "model.layers.1.self_attn.o_proj"),
    pythia=("gpt_neox.layers.1.attention", "gpt_neox.layers.1.attention.dense"),
)
def causal_shifted(model: nn.Module, path: str) -> None:
    """The causal mask is off by one: each token sees the next."""

    class SeesTheNext(Attention):
        def masked(self, scores: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
            return super().masked(scores, F.pad(allowed[..., 1:], (0, 1), value=True))

    attend(model, path, SeesTheNext)


@mutant(
    "causal-mask",
    "attention-mask",
    whisper=("model.decoder.layers.0.self_attn", "model.decoder.layers.0.self_attn.out_proj"),
    clip=("text_model.encoder.layers.1.self_attn", "text_model.encoder.layers.1.self_attn.out_proj"),
)
@mutant(
    "attention-mask",
    bert="encoder.layer.1.attention.self",
    esm2=("esm.encoder.layer.2.attention.self", "esm.encoder.layer.2.attention.output.dense"),
)
def mask_missing(model: nn.Module, path: str) -> None:
    """Every query sees every key."""

    class Unmasked(Attention):
        def masked(self, scores: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
            return scores

    attend(model, path, Unmasked)


@mutant("attention-mask", esm2=("esm.encoder.layer.0.attention.self", "esm.encoder.layer.0.attention.output.dense"))
def mask_weak(model: nn.Module, path: str) -> None:
    """Masked scores are lowered by 3, which leaves them some weight."""

    class WeaklyMasked(Attention):
        def masked(self, scores: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
            return torch.where(allowed, scores, scores - 3)

    attend(model, path, WeaklyMasked)


@mutant("head-reshape", "layout", vit=("vit.layers.1.attention", "vit.layers.1.attention.o_proj"))
@mutant("head-reshape", "layout", bert="encoder.layer.1.attention.self")
def merge_heads(model: nn.Module, path: str) -> None:
    """Heads are merged without being transposed back."""

    class MergedAsTheyAre(Attention):
        def merged(self, mixed: torch.Tensor) -> torch.Tensor:
            batch, heads, length, size = mixed.shape
            return mixed.reshape(batch, length, heads, size)

    attend(model, path, MergedAsTheyAre)


@mutant("head-reshape", "layout", vit=("vit.layers.0.attention", "vit.layers.0.attention.o_proj"))
def split_heads(model: nn.Module, path: str) -> None:
    """Heads are split as [size, heads], not [heads, size]."""

    class SizeFirst(Attention):
        def split(self, heads: torch.Tensor) -> torch.Tensor:
            batch, count, length, size = heads.shape
            return heads.transpose(1, 2).reshape(batch, length, size, count).permute(0, 3, 1, 2)

    attend(model, path, SizeFirst)


@mutant(
    "softmax-axis", whisper=("model.decoder.layers.1.encoder_attn", "model.decoder.layers.1.encoder_attn.out_proj")
)
def softmax_axis(model: nn.Module, path: str) -> None:
    """Softmax over the queries."""

    class OverQueries(Attention):
        def weights(self, scores: torch.Tensor) -> torch.Tensor:
            return scores.softmax(-2)

    attend(model, path, OverQueries)


@mutant(
    "compute-dtype",
    "dtype-cast",
    llama=("model.layers.0.self_attn", "model.layers.0.self_attn.o_proj"),
    whisper=("model.encoder.layers.0.self_attn", "model.encoder.layers.0.self_attn.out_proj"),
)
def softmax_bfloat16(model: nn.Module, path: str) -> None:
    """Softmax in bfloat16."""

    class Rounded(Attention):
        def weights(self, scores: torch.Tensor) -> torch.Tensor:
            return scores.bfloat16().softmax(-1).to(scores.dtype)

    attend(model, path, Rounded)


@mutant(
    "kv-repeat-order",
    "head-reshape",
    llama=("model.layers.2.self_attn", "model.layers.2.self_attn.o_proj"),
    mixtral=("model.layers.0.self_attn", "model.layers.0.self_attn.o_proj"),
    gemma2=("model.layers.1.self_attn", "model.layers.1.self_attn.o_proj"),
)
def kv_repeated_in_blocks(model: nn.Module, path: str) -> None:
    """Keys and values are repeated as a whole, not head by head."""

    class InBlocks(Attention):
        def repeated(self, heads: torch.Tensor, groups: int) -> torch.Tensor:
            return heads.repeat(1, groups, 1, 1)

    attend(model, path, InBlocks)


@mutant("softcap", gemma2=("model.layers.0.self_attn", "model.layers.0.self_attn.o_proj"))
def softcap_missing(model: nn.Module, path: str) -> None:
    """Scores are not capped."""

    class Uncapped(Attention):
        def capped(self, scores: torch.Tensor, cap: float) -> torch.Tensor:
            return scores

    attend(model, path, Uncapped)


@mutant("head-count", "head-reshape", bert="encoder.layer.2.attention.self")
def fewer_heads(model: nn.Module, path: str) -> None:
    """Half as many heads, twice as large."""
    module = within(model, path)
    module.num_attention_heads //= 2
    module.attention_head_size *= 2
    module.scaling = module.attention_head_size**-0.5


@mutant("head-count", "head-reshape", vit=("vit.layers.1.attention", "vit.layers.1.attention.o_proj"))
def more_heads(model: nn.Module, path: str) -> None:
    """Twice as many heads, half as large."""
    module = within(model, path)
    module.num_attention_heads *= 2
    module.head_dim //= 2
    module.scaling = module.head_dim**-0.5


@mutant(
    "wrong-input",
    whisper=(
        "model.decoder.layers.1.encoder_attn",
        "model.decoder.layers.1",
        "model.decoder.layers.1.encoder_attn.k_proj",
        "model.decoder.layers.1.encoder_attn.v_proj",
    ),
)
def looks_at_itself(model: nn.Module, path: str) -> None:
    """Cross attention over the queries' own side."""

    def forward(self: Any, usual: Any, hidden_states: Any, key_value_states: Any = None, **kwargs: Any) -> Any:
        return usual(hidden_states, key_value_states=hidden_states, **kwargs)

    behave(within(model, path), forward)


@mutant(
    "wrong-input",
    vit=("vit.layers.0.attention", "vit.layers.0.attention.v_proj"),
)
def value_of_query(model: nn.Module, path: str) -> None:
    """The value is projected from the projected query."""
    module = within(model, path)
    behave(module.v_proj, lambda self, usual, hidden_states: usual(module.q_proj(hidden_states)))

"""Bugs of embeddings and positions: learned, relative, rotary."""

from __future__ import annotations

from typing import Any

import torch
from mutants.editing import behave, behave_with, edit, within
from mutants.mutant import mutant
from torch import nn

ROTARY = ("model", "model.layers.0.self_attn", "model.layers.0.self_attn.o_proj")


@mutant("position-offset", bert="embeddings.position_embeddings", minilm="embeddings.position_embeddings")
def off_by_one(model: nn.Module, path: str) -> None:
    """Learned positions start from one."""
    behave(within(model, path), lambda self, usual, ids: usual((ids + 1).clamp(max=self.num_embeddings - 1)))


@mutant("position-offset", whisper="model.decoder.embed_positions")
def bart_offset(model: nn.Module, path: str) -> None:
    """BART's offset of two is added to positions that have none."""

    def forward(self: Any, usual: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        return torch.roll(self.weight, -2, 0)[: usual(*args, **kwargs).shape[-2]]

    behave(within(model, path), forward)


@mutant("missing-embedding", "not-loaded", vit=("vit.embeddings", "vit.embeddings.dropout"))
def patches_without(model: nn.Module, path: str) -> None:
    """Positions are not added to the patches."""
    edit(within(model, path).position_embeddings, 0.0)


@mutant("missing-embedding", "not-loaded", whisper="model.encoder.embed_positions")
def without(model: nn.Module, path: str) -> None:
    """Positions are not added."""
    edit(within(model, path).weight, 0.0)


@mutant("permuted", vit=("vit.embeddings", "vit.embeddings.dropout"))
def column_by_column(model: nn.Module, path: str) -> None:
    """Positions in two dimensions are flattened column by column."""
    positions = within(model, path).position_embeddings
    side = int((positions.shape[1] - 1) ** 0.5)
    grid = positions[:, 1:].reshape(1, side, side, -1)
    edit(positions[:, 1:], grid.transpose(1, 2).reshape(1, side * side, -1))


@mutant("layout", "permuted", vit="vit.embeddings.patch_embeddings")
def patches_by_column(model: nn.Module, path: str) -> None:
    """Patches are flattened column by column."""

    def forward(self: Any, usual: Any, pixel_values: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.projection(pixel_values).transpose(2, 3).flatten(2).transpose(1, 2))

    behave(within(model, path), forward)


@mutant(
    "concat-order", "permuted", vit=("vit.embeddings", "vit.embeddings.dropout", "vit.embeddings.patch_embeddings")
)
def class_token_last(model: nn.Module, path: str) -> None:
    """The class token is put behind the patches, not before them."""

    def forward(self: Any, usual: Any, pixel_values: torch.Tensor, **_: Any) -> torch.Tensor:
        patches = self.patch_embeddings(pixel_values)
        tokens = torch.cat([patches, self.cls_token.expand(len(patches), -1, -1)], dim=1)
        return torch.as_tensor(self.dropout(tokens + self.position_embeddings))

    behave(within(model, path), forward)


@mutant("extra-scale", "missing-scale", llama="model.embed_tokens", mixtral="model.embed_tokens")
def scale_added(model: nn.Module, path: str) -> None:
    """Embeddings are multiplied by the root of the width."""
    behave(within(model, path), lambda self, usual, ids: usual(ids) * self.embedding_dim**0.5)


@mutant("missing-scale", "extra-scale", gemma2="model.embed_tokens")
def scale_missing(model: nn.Module, path: str) -> None:
    """Embeddings are not multiplied by the root of the width."""
    edit(within(model, path).embed_scale, 1.0)


@mutant("missing-embedding", bert="embeddings.token_type_embeddings", minilm="embeddings.token_type_embeddings")
def token_types_missing(model: nn.Module, path: str) -> None:
    """Token types are not added."""
    behave(within(model, path), lambda self, usual, ids: torch.zeros_like(usual(ids)))


@mutant("missing-scale", esm2="esm.embeddings")
def token_dropout_missing(model: nn.Module, path: str) -> None:
    """Embeddings are not rescaled for masked tokens."""
    within(model, path).token_dropout = False


@mutant("rope-applied", "rope-layout", llama=("model.layers.1.self_attn", "model.layers.1.self_attn.o_proj"))
def keys_turned_back(model: nn.Module, path: str) -> None:
    """Keys are rotated in the other direction."""

    def make(usual: Any) -> Any:
        return lambda q, k, cos, sin, **kwargs: (
            usual(q, k, cos, sin, **kwargs)[0],
            usual(q, k, cos, -sin, **kwargs)[1],
        )

    behave_with(within(model, path), "apply_rotary_pos_emb", make)


@mutant(
    "rope-applied",
    llama=("model.layers.0.self_attn", "model.layers.0.self_attn.o_proj"),
    pythia=("gpt_neox.layers.2.attention", "gpt_neox.layers.2.attention.dense"),
)
def queries_not_rotated(model: nn.Module, path: str) -> None:
    """Only keys are rotated."""

    def make(usual: Any) -> Any:
        return lambda q, k, cos, sin, **kwargs: (q, usual(q, k, cos, sin, **kwargs)[1])

    behave_with(within(model, path), "apply_rotary_pos_emb", make)


@mutant(
    "rope-layout",
    "permuted",
    llama=("model.layers.2.self_attn", "model.layers.2.self_attn.o_proj"),
    mixtral=("model.layers.1.self_attn", "model.layers.1.self_attn.o_proj"),
)
def neighbours_rotated(model: nn.Module, path: str) -> None:
    """Neighbouring numbers are rotated with each other, not the halves of a head."""

    def rotate(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([-x[..., 1::2], x[..., ::2]], dim=-1).flatten(-2)

    def make(usual: Any) -> Any:
        def apply(q: torch.Tensor, k: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, **_: Any) -> Any:
            cos, sin = (part[..., : part.shape[-1] // 2].repeat_interleave(2, -1).unsqueeze(1) for part in (cos, sin))
            return q * cos + rotate(q) * sin, k * cos + rotate(k) * sin

        return apply

    behave_with(within(model, path), "apply_rotary_pos_emb", make)


@mutant("rope-theta", "buffer-wrong", llama=("model.rotary_emb", *ROTARY), mixtral=("model.rotary_emb", *ROTARY))
def theta(model: nn.Module, path: str) -> None:
    """The base of the rotation is 500 times too small or large."""
    rotary = within(model, path)
    exponents = torch.arange(len(rotary.inv_freq)) / len(rotary.inv_freq)
    base = rotary.config.rope_parameters["rope_theta"]
    edit(rotary.inv_freq, (base / 500 if base > 1e5 else base * 500) ** -exponents)

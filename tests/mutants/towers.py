"""Bugs of models of several parts: projections, pooling and scales at their ends."""

from __future__ import annotations

import torch
from mutants.editing import edit, exchange, within
from mutants.mutant import mutant
from torch import nn


@mutant("swapped", "wrong-layer", clip="visual_projection")
def projections_swapped(model: nn.Module, path: str) -> None:
    """Each tower has the other's projection."""
    exchange(within(model, path), within(model, "text_projection"))


@mutant("pooling", "wrong-input", clip=("text_model", "", "text_projection"))
def first_token_pooled(model: nn.Module, path: str) -> None:
    """The text is taken at its first token, not at its end."""
    within(model, path).eos_token_id = -1


@mutant(
    "missing-embedding",
    "not-loaded",
    clip=("text_model.embeddings.position_embedding", "text_model.embeddings"),
)
def text_positions_zero(model: nn.Module, path: str) -> None:
    """Positions of the text are not loaded."""
    edit(within(model, path).weight, 0.0)


@mutant("missing-embedding", "not-loaded", clip=("vision_model.embeddings", "vision_model.pre_layrnorm"))
def class_embedding_zero(model: nn.Module, path: str) -> None:
    """The class token is not loaded."""
    edit(within(model, path).class_embedding, 0.0)


@mutant("softcap", gemma2=("", "lm_head"))
def last_softcap_missing(model: nn.Module, path: str) -> None:
    """Logits are not capped."""
    within(model, path).config.final_logit_softcapping = None


@mutant("attention-scale", gemma2=("model.layers.1.self_attn", "model.layers.1.self_attn.o_proj"))
def scale_of_head(model: nn.Module, path: str) -> None:
    """Scores are scaled by the size of a head, where the config has a scale of its own."""
    attention = within(model, path)
    attention.scaling = attention.head_dim**-0.5


@mutant("missing-scale", "not-loaded", convnext=("convnext.encoder.stages.1.layers.0",))
def layer_scale_missing(model: nn.Module, path: str) -> None:
    """A block's output is not scaled before it is added."""
    scale = within(model, path).layer_scale_parameter
    edit(scale, torch.ones_like(scale))

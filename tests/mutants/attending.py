"""Attention in steps, each of which a bug may have otherwise."""

from __future__ import annotations

import copy
from typing import Any

import torch
from mutants.editing import within
from torch import nn


class Attention:
    """Scaled dot-product attention in steps; each bug has one of them otherwise."""

    def __call__(
        self,
        module: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        scaling: float | None = None,
        is_causal: bool | None = None,
        softcap: float | None = None,
        **_: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """An attention function of Transformers, over (batch, heads, length, size)."""
        groups = query.shape[1] // key.shape[1]
        key, value = self.repeated(key, groups), self.repeated(value, groups)
        query, key, value = self.split(query), self.split(key), self.split(value)
        usual = query.shape[-1] ** -0.5 if scaling is None else scaling
        scores = query @ key.transpose(-1, -2) * self.scale(usual, query)
        if softcap is not None:
            scores = self.capped(scores, softcap)
        causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
        if (allowed := _allowed(attention_mask, scores, causal)) is not None:
            scores = self.masked(scores, allowed)
        weights = self.weights(scores)
        return self.merged(weights @ value), weights

    def repeated(self, heads: torch.Tensor, groups: int) -> torch.Tensor:
        """Keys or values for every query head: each repeated in place."""
        return heads.repeat_interleave(groups, 1)

    def split(self, heads: torch.Tensor) -> torch.Tensor:
        """Heads as they came."""
        return heads

    def scale(self, usual: float, query: torch.Tensor) -> float:
        """The factor of the scores."""
        return usual

    def capped(self, scores: torch.Tensor, cap: float) -> torch.Tensor:
        """Scores held between ``-cap`` and ``cap``."""
        return cap * torch.tanh(scores / cap)

    def masked(self, scores: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
        """Scores with the lowest number where a query may not look."""
        return scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)

    def weights(self, scores: torch.Tensor) -> torch.Tensor:
        """Over the keys."""
        return scores.softmax(-1)

    def merged(self, mixed: torch.Tensor) -> torch.Tensor:
        """To (batch, length, heads, size)."""
        return mixed.transpose(1, 2).contiguous()


def _allowed(mask: torch.Tensor | None, scores: torch.Tensor, causal: bool) -> torch.Tensor | None:
    if mask is not None:
        mask = mask[..., : scores.shape[-1]]
        return mask if mask.dtype == torch.bool else mask > -1
    return torch.ones(scores.shape[-2:], dtype=torch.bool).tril() if causal and scores.shape[-2] > 1 else None


def attend(model: nn.Module, path: str, attention: type[Attention]) -> None:
    """Let one attention module call another attention function, through a config of its own."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    module, name = within(model, path), f"mutant_{attention.__name__}"
    ALL_ATTENTION_FUNCTIONS.register(name, attention())
    module.config = copy.deepcopy(module.config)
    module.config._attn_implementation_internal = name

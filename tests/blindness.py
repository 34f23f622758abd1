"""Toy models for blind inputs: small decoders and image models with one mistake, and a port without it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

VOCABULARY, WIDTH, HEADS = 41, 16, 4


class Decoder(nn.Module):
    """One layer of attention, with every mistake of the table as a switch."""

    def __init__(self, **mistakes: Any) -> None:
        super().__init__()
        self.config = SimpleNamespace(
            vocab_size=VOCABULARY,
            max_position_embeddings=64,
            pad_token_id=0,
            **mistakes.pop("config", {}),
        )
        self.mistakes = SimpleNamespace(
            **{"causal": True, "padding": True, "window": 0, "shared": HEADS, "rotate": "half", "start": 0} | mistakes
        )
        torch.manual_seed(0)
        self.embed = nn.Embedding(VOCABULARY, WIDTH)
        self.q, self.o = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.k, self.v = (nn.Linear(WIDTH, WIDTH // HEADS * abs(self.mistakes.shared)) for _ in range(2))
        self.head = nn.Linear(WIDTH, VOCABULARY)
        self.eval()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        x = self.embed(input_ids)
        query, key, value = (self._heads(layer(x)) for layer in (self.q, self.k, self.v))
        query, key = self._rotated(query), self._rotated(key)
        allowed = self._allowed(input_ids.shape[1], attention_mask)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        result: torch.Tensor = self.head(x + self.o(mixed.transpose(1, 2).flatten(2)))
        return result

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        x = x.view(*x.shape[:2], -1, WIDTH // HEADS).transpose(1, 2)
        if self.mistakes.shared < 0:  # as a mistake: the other order
            return x.repeat(1, HEADS // x.shape[1], 1, 1)
        return x.repeat_interleave(HEADS // x.shape[1], 1)

    def _rotated(self, x: torch.Tensor) -> torch.Tensor:
        length = x.shape[2]
        base = 100.0 * (4 if 0 < self.mistakes.start < length else 1)
        angles = torch.arange(length)[:, None] * base ** -torch.tensor([0.0, 0.5])
        first, second = (x[..., ::2], x[..., 1::2]) if self.mistakes.rotate == "pairs" else x.chunk(2, -1)
        turned = first * angles.cos() - second * angles.sin(), second * angles.cos() + first * angles.sin()
        return torch.stack(turned, -1).flatten(-2) if self.mistakes.rotate == "pairs" else torch.cat(turned, -1)

    def _allowed(self, length: int, mask: torch.Tensor | None) -> torch.Tensor:
        allowed = torch.ones(length, length, dtype=torch.bool)
        if self.mistakes.causal:
            allowed = allowed.tril()
        if self.mistakes.window:
            allowed = allowed & ~torch.ones_like(allowed).tril(-self.mistakes.window)
        if mask is not None and self.mistakes.padding:
            allowed = allowed & mask.bool()[:, None, None, :] | torch.eye(length, dtype=torch.bool)
        return allowed


class Pooled(nn.Module):
    """A mean over the positions that count, or, as a mistake, over all."""

    def __init__(self, masked: bool = True) -> None:
        super().__init__()
        self.config = SimpleNamespace(vocab_size=VOCABULARY, pad_token_id=0)
        self.masked = masked
        torch.manual_seed(0)
        self.embed, self.head = nn.Embedding(VOCABULARY, WIDTH), nn.Linear(WIDTH, 3)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        counted = attention_mask if self.masked else torch.ones_like(attention_mask)
        weights = (counted / counted.sum(-1, keepdim=True))[..., None]
        result: torch.Tensor = self.head((self.embed(input_ids) * weights).sum(1))
        return result


class Seer(nn.Module):
    """A strided convolution of images, with the channels exchanged, or padded as TensorFlow does, as a mistake."""

    def __init__(self, exchanged: bool = False, same: bool = False) -> None:
        super().__init__()
        self.exchanged, self.same = exchanged, same
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(3, 8, 3, stride=2, padding=0 if same else 1), nn.Linear(8, 5)

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        x = pixel_values.flip(1) if self.exchanged else pixel_values
        if self.same:
            height, width = (max((-(-n // 2) - 1) * 2 + 3 - n, 0) for n in x.shape[2:])
            x = F.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2))
        result: torch.Tensor = self.head(self.conv(x).relu().mean((2, 3)))
        return result


def ids(*shape: int) -> torch.Tensor:
    """Distinct tokens in every row."""
    generator = torch.Generator().manual_seed(1)
    rows = [torch.randperm(VOCABULARY - 1, generator=generator)[: shape[1]] + 1 for _ in range(shape[0])]
    return torch.stack(rows)


def padded(*shape: int) -> dict[str, torch.Tensor]:
    """Tokens whose rows have different lengths, padded on the left, with their mask."""
    mask = torch.arange(shape[1])[None] >= 2 * torch.arange(shape[0])[:, None]
    return {"input_ids": ids(*shape) * mask, "attention_mask": mask.long()}

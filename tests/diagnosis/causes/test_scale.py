"""A factor that one side has and the other has not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gluing import glued, original_model, port_model, positions, proven
from torch import nn
from toys import WIDTH

ROOT = WIDTH**0.5


def tokens_and_places(self: Any, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return self.tok(tokens), self.pos(torch.arange(tokens.shape[1]).expand_as(tokens))


def test_an_embedding_that_is_scaled_in_the_original() -> None:
    def embed(self: Any, tokens: torch.Tensor) -> torch.Tensor:
        token, place = tokens_and_places(self, tokens)
        result: torch.Tensor = token * ROOT + place
        return result

    verification = glued(original=original_model(embed))
    assert proven(verification) == [("model", "missing-scale")]
    assert "counts once, in the original 4.89898 times" in verification.culprits[0].causes[0].summary


def test_a_sum_that_is_scaled_in_the_original() -> None:
    verification = glued(original=original_model(lambda self, tokens: sum(tokens_and_places(self, tokens)) * ROOT))
    assert proven(verification) == [("model", "missing-scale")]
    assert "sqrt(24)" in verification.culprits[0].causes[0].fix


def test_an_embedding_that_is_scaled_in_the_port() -> None:
    model = port_model(lambda self, ids: self.embed_tokens(ids) * ROOT + positions(self, ids))
    assert proven(glued(model=model)) == [("model", "extra-scale")]


def test_logits_that_are_scaled_in_the_original() -> None:
    assert proven(glued(original=original_model(head=lambda logits: logits / 16))) == [("", "missing-scale")]


@pytest.mark.parametrize("by", [0.5, 2.0])
def test_a_branch_that_is_scaled_in_the_port(by: float) -> None:
    def layer(self: Any, hidden: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden = hidden + by * self.self_attn(self.input_layernorm(hidden), attention_mask=attention_mask)[0]
        result: torch.Tensor = hidden + self.mlp(self.post_attention_layernorm(hidden))
        return result

    assert proven(glued(layer=layer)) == [("model.layers.1", "extra-scale")]


def test_a_scale_of_each_channel_that_only_the_original_has() -> None:
    def prepare(original: Any, _: Any) -> None:
        original.blocks[1].gamma = nn.Parameter(torch.linspace(-1, 1.3, WIDTH))

    def block(self: Any, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        x = x + self.gamma * self.attn(self.ln1(x), seen)
        result: torch.Tensor = x + self.fc2(nn.functional.gelu(self.fc1(self.ln2(x))))
        return result

    verification = glued(original_block=block, prepare=prepare)
    assert proven(verification) == [("model.layers.1", "missing-scale")]
    assert "gamma" in verification.culprits[0].causes[0].summary


def test_tokens_that_are_masked_in_the_original() -> None:
    def embed(self: Any, tokens: torch.Tensor) -> torch.Tensor:
        token, place = tokens_and_places(self, tokens)
        result: torch.Tensor = (token + place) * (tokens % 3 > 0)[..., None] * 0.88
        return result

    assert proven(glued(original=original_model(embed))) == [("model", "missing-scale")]

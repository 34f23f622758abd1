"""What is added to what in a block."""

from __future__ import annotations

from typing import Any

import torch
from gluing import glued, proven

LAYER = "model.layers.1"


def lost_around_attention(self: Any, hidden: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    mixed = self.self_attn(self.input_layernorm(hidden), attention_mask=attention_mask)[0]
    result: torch.Tensor = mixed + self.mlp(self.post_attention_layernorm(mixed))
    return result


def lost_around_mlp(self: Any, hidden: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    hidden = hidden + self.self_attn(self.input_layernorm(hidden), attention_mask=attention_mask)[0]
    result: torch.Tensor = self.mlp(self.post_attention_layernorm(hidden))
    return result


def from_norm(self: Any, hidden: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    normed = self.input_layernorm(hidden)
    hidden = normed + self.self_attn(normed, attention_mask=attention_mask)[0]
    result: torch.Tensor = hidden + self.mlp(self.post_attention_layernorm(hidden))
    return result


def from_the_beginning(self: Any, hidden: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    start = hidden
    hidden = hidden + self.self_attn(self.input_layernorm(hidden), attention_mask=attention_mask)[0]
    result: torch.Tensor = start + self.mlp(self.post_attention_layernorm(hidden))
    return result


def twice(self: Any, hidden: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    hidden = hidden + self.self_attn(self.input_layernorm(hidden), attention_mask=attention_mask)[0]
    result: torch.Tensor = hidden + hidden + self.mlp(self.post_attention_layernorm(hidden))
    return result


def parallel(self: Any, hidden: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    mixed = self.self_attn(self.input_layernorm(hidden), attention_mask=attention_mask)[0]
    result: torch.Tensor = hidden + mixed + self.mlp(self.post_attention_layernorm(hidden))
    return result


def test_a_missing_residual_is_found_at_either_branch() -> None:
    for forward in (lost_around_attention, lost_around_mlp):
        assert proven(glued(layer=forward)) == [(LAYER, "missing-residual")]


def test_a_residual_taken_after_the_norm() -> None:
    verification = glued(layer=from_norm)
    assert proven(verification) == [(LAYER, "residual-source")]
    cause = verification.culprits[0].causes[0]
    assert "`output of model.layers.1.input_layernorm` is added in place of `argument hidden`" in cause.summary


def test_a_residual_taken_before_the_first_branch() -> None:
    assert proven(glued(layer=from_the_beginning)) == [(LAYER, "residual-source")]


def test_a_residual_added_twice() -> None:
    assert proven(glued(layer=twice)) == [(LAYER, "residual-source")]


def test_branches_in_parallel_for_in_sequence() -> None:
    assert proven(glued(layer=parallel)) == [(LAYER, "block-order")]


def test_branches_in_sequence_for_in_parallel() -> None:
    def block(self: Any, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = (
            x + self.attn(self.ln1(x), seen) + self.fc2(torch.nn.functional.gelu(self.fc1(self.ln2(x))))
        )
        return result

    assert proven(glued(original_block=block)) == [(LAYER, "block-order")]


def test_another_function_of_the_residual_is_not_explained() -> None:
    def bent(self: Any, hidden: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden = hidden.sin() + self.self_attn(self.input_layernorm(hidden), attention_mask=attention_mask)[0]
        result: torch.Tensor = hidden + self.mlp(self.post_attention_layernorm(hidden))
        return result

    verification = glued(layer=bent)
    assert [culprit.ported for culprit in verification.culprits] == [LAYER]
    assert proven(verification) == []

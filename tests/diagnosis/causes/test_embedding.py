"""Embeddings, positions and biases that are not added, or from the wrong row on."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gluing import glued, port_model, positions, proven
from torch import nn
from toys import WIDTH


def test_positions_that_are_never_looked_up() -> None:
    verification = glued(model=port_model(lambda self, ids: self.embed_tokens(ids)))
    assert proven(verification) == [("model", "missing-embedding")]


def test_positions_that_are_looked_up_and_not_added() -> None:
    model = port_model(lambda self, ids: self.embed_tokens(ids) + 0 * positions(self, ids))
    assert proven(glued(model=model)) == [("model", "missing-embedding")]


@pytest.mark.parametrize("start", [1, 2])
def test_positions_from_another_start(start: int) -> None:
    model = port_model(lambda self, ids: self.embed_tokens(ids) + positions(self, ids, start))
    verification = glued(model=model)
    assert proven(verification) == [("model", "position-offset")]
    assert f"subtract {start}" in verification.culprits[0].causes[0].fix


def test_an_embedding_that_takes_other_rows() -> None:
    def prepare(_: Any, port: Any) -> None:
        table = port.model.embed_positions
        table.forward = lambda ids: nn.functional.embedding(ids + 2, table.weight)

    verification = glued(prepare=prepare)
    assert proven(verification) == [("model.embed_positions", "position-offset")]
    assert "subtract 2 from the positions" in verification.culprits[0].causes[0].fix


def test_an_embedding_that_returns_zeros() -> None:
    def prepare(_: Any, port: Any) -> None:
        table = port.model.embed_positions
        table.forward = lambda ids: torch.zeros(*ids.shape, WIDTH)

    assert proven(glued(prepare=prepare)) == [("model.embed_positions", "missing-embedding")]


def test_a_table_of_zeros() -> None:
    def prepare(_: Any, port: Any) -> None:
        nn.init.zeros_(port.model.embed_positions.weight)

    verification = glued(prepare=prepare)
    assert [code for _, code in proven(verification)] == ["missing-embedding"]


def test_rows_in_no_order_are_no_offset() -> None:
    def prepare(_: Any, port: Any) -> None:
        table = port.model.embed_positions
        table.forward = lambda ids: nn.functional.embedding(ids * 7 % 31, table.weight)

    verification = glued(prepare=prepare)
    assert verification.culprits
    assert ("model.embed_positions", "position-offset") not in proven(verification)


def test_a_bias_that_only_the_original_has() -> None:
    def prepare(original: Any, _: Any) -> None:
        original.blocks[1].extra = nn.Parameter(torch.linspace(-1, 1, WIDTH))

    def block(self: Any, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.ln1(x), seen)
        result: torch.Tensor = x + self.fc2(nn.functional.gelu(self.fc1(self.ln2(x)))) + self.extra
        return result

    assert proven(glued(original_block=block, prepare=prepare)) == [("model.layers.1", "missing-bias")]

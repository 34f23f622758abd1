"""A port that works on tensors laid out otherwise: aligned, compared and fed in its own layout."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from porting import verify

WIDTH = 6


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 9), nn.Linear(9, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = x + self.down(torch.tanh(self.up(self.norm(x))))
        return result


class Model(nn.Module):
    """``time_first`` runs the blocks on (time, batch, channels)."""

    def __init__(self, *, time_first: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.blocks = nn.Embedding(11, WIDTH), nn.Sequential(*(Block() for _ in range(3)))
        self.time_first = time_first

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        hidden = self.embed(ids)
        if self.time_first:
            hidden = hidden.transpose(0, 1)
        hidden = self.blocks(hidden)
        result: torch.Tensor = hidden.transpose(0, 1) if self.time_first else hidden
        return result


def ids(length: int) -> torch.Tensor:
    return torch.randint(0, 11, (4, length), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("length", [7, 4])
def test_time_first_is_a_layout_even_where_time_is_as_long_as_the_batch(length: int) -> None:
    verification = verify(Model(time_first=True), Model(time_first=False), (ids(length),))
    assert verification.verdict == "match"
    groups = {group.ported[0]: group for group in verification.comparison.alignment.groups}
    assert groups["blocks.1.up"].layout == "permute(1, 0, 2)"
    assert groups["embed"].layout is None
    assert len(verification.isolation.observations) > 20


@pytest.mark.parametrize("length", [7, 4])
def test_a_fault_in_another_layout_is_found_where_it_is(length: int) -> None:
    port = Model(time_first=False)
    port.get_parameter("blocks.1.up.weight").data *= 1.5
    verification = verify(Model(time_first=True), port, (ids(length),))
    assert [culprit.ported for culprit in verification.culprits] == ["blocks.1.up"]

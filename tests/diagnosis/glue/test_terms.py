"""A summand that a module without a counterpart made: its own fault, or that of the sum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diagnosed import informative, noise
from torch import nn

from porting import verify
from porting.diagnosis import Culprit

WIDTH, LENGTH, TOKENS = 8, 9, 23


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.mix = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Any) -> Any:
        return x + self.mix(self.norm(x))


class Original(nn.Module):
    """Positions are a bare parameter of the model."""

    def __init__(self, *leading: int) -> None:
        super().__init__()
        self.tokens, self.block = nn.Embedding(TOKENS, WIDTH), Block()
        self.table = nn.Parameter(torch.zeros(*leading, LENGTH, WIDTH))

    def forward(self, ids: Any) -> Any:
        return self.block(self.tokens(ids) + self.table[..., : ids.shape[1], :])


class Learned(nn.Module):
    """They are a module that looks at how long the sequence is."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(LENGTH, WIDTH))

    def forward(self, ids: Any) -> Any:
        return self.weight[: ids.shape[1]]


class Ported(nn.Module):
    def __init__(self, original: Any, positions: nn.Module) -> None:
        super().__init__()
        self.tokens, self.positions, self.block = nn.Embedding(TOKENS, WIDTH), positions, Block()
        self.tokens.load_state_dict(original.tokens.state_dict())
        self.block.load_state_dict(original.block.state_dict())
        positions.get_parameter("weight").data = original.table.detach().reshape(LENGTH, WIDTH).clone()
        self.sum: Callable[[Any, Any], Any] = torch.add

    def forward(self, ids: Any) -> Any:
        return self.block(self.sum(self.tokens(ids), self.positions(self.asked(ids))))

    def asked(self, ids: Any) -> Any:
        return ids if isinstance(self.positions, Learned) else torch.arange(ids.shape[1])


def culprits(
    broken: Callable[[Any], None], positions: nn.Module | None = None, rows: int = 2, leading: tuple[int, ...] = ()
) -> tuple[Culprit, ...]:
    original: Any = informative(Original(*leading))
    ported = Ported(original, positions or Learned()).eval()
    with torch.no_grad():
        broken(ported)
    ids = torch.randint(TOKENS, (rows, LENGTH - 3), generator=torch.Generator().manual_seed(0))
    return verify(original, ported, (ids,)).culprits


def read_from_the_second_row(port: Any) -> None:
    port.positions.forward = lambda ids: port.positions.weight[1 : ids.shape[1] + 1]


def backwards(port: Any) -> None:
    port.positions.forward = lambda ids: port.positions.weight[: ids.shape[1]].flip(0)


def squashed(port: Any) -> None:
    port.positions.forward = lambda ids: port.positions.weight[: ids.shape[1]].tanh()


@pytest.mark.parametrize("broken", [read_from_the_second_row, backwards, squashed])
def test_the_child_that_made_a_wrong_term_is_at_fault(broken: Callable[[Any], None]) -> None:
    assert [culprit.ported for culprit in culprits(broken)] == ["positions"]


def test_one_sequence_is_enough_where_the_rows_are_known() -> None:
    (culprit,) = culprits(read_from_the_second_row, rows=1)
    assert (culprit.ported, culprit.proven and culprit.proven.code) == ("positions", "position-offset")


def not_added(port: Any) -> None:
    port.sum = lambda x, y: x + 0 * y


def scaled(port: Any) -> None:
    port.sum = lambda x, y: x + y * 3


def tokens_doubled(port: Any) -> None:
    port.sum = lambda x, y: 2 * x + y


@pytest.mark.parametrize("broken", [not_added, scaled, tokens_doubled])
def test_what_the_sum_makes_of_a_right_term_is_its_own_fault(broken: Callable[[Any], None]) -> None:
    assert [culprit.ported for culprit in culprits(broken)] == [""]


def test_a_table_that_was_asked_for_the_wrong_rows_is_right() -> None:
    def later(port: Any) -> None:
        port.asked = lambda ids: torch.arange(ids.shape[1]) + 2

    assert [culprit.ported for culprit in culprits(later, nn.Embedding(LENGTH, WIDTH))] == [""]


def rolled(port: Any) -> None:
    port.positions.weight.copy_(port.positions.weight.roll(1, 0))


def zero(port: Any) -> None:
    port.positions.weight.zero_()


def random(port: Any) -> None:
    port.positions.weight.copy_(noise(LENGTH, WIDTH, seed=3))


@pytest.mark.parametrize("leading", [(), (1,)])
@pytest.mark.parametrize(
    ("broken", "code"), [(rolled, "permuted"), (zero, "missing-embedding"), (random, "not-loaded")]
)
def test_a_wrong_table_is_held_against_a_bare_one(
    broken: Callable[[Any], None], code: str, leading: tuple[int, ...]
) -> None:
    (culprit,) = culprits(broken, nn.Embedding(LENGTH, WIDTH), leading=leading)
    assert (culprit.ported, culprit.proven and culprit.proven.code) == ("positions", code)

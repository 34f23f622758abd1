"""Weights whose axes are split on one side and merged on the other, as heads are and the taps of a kernel."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from porting import verify

WIDTH, HEADS, SIZE = 8, 2, 3


class ByHead(nn.Module):
    """A projection with a weight of (width, heads, size)."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(WIDTH, HEADS, SIZE))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.einsum("btd,dhk->bthk", x, self.weight)


class Original(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = ByHead(), ByHead()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.one(x) * self.two(x)
        return result.flatten(-2)


class Ported(nn.Module):
    def __init__(self, original: Original) -> None:
        super().__init__()
        self.first, self.second = (nn.Linear(WIDTH, HEADS * SIZE, bias=False) for _ in range(2))
        with torch.no_grad():
            self.first.weight.copy_(original.one.weight.reshape(WIDTH, -1).T)
            self.second.weight.copy_(original.two.weight.reshape(WIDTH, -1).T)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.first(x) * self.second(x)
        return result


def pair() -> tuple[Original, Ported]:
    torch.manual_seed(0)
    original = Original()
    return original, Ported(original)


def test_weights_of_other_dimensions_align_their_modules() -> None:
    verification = verify(*pair(), (torch.randn(2, 5, WIDTH),))
    assert verification.verdict == "match"
    groups = {group.ported: group for group in verification.comparison.alignment.groups}
    assert groups["first",].original == ("one",)
    assert groups["second",].original == ("two",)
    assert groups["first",].evidence.startswith("weights, axes split or merged")


@pytest.mark.parametrize("name", ["first", "second"])
def test_a_fault_in_one_of_them_is_found_there(name: str) -> None:
    original, ported = pair()
    linear = ported.get_submodule(name)
    forward = linear.forward
    linear.forward = lambda x: 1.5 * forward(x)
    verification = verify(original, ported, (torch.randn(2, 5, WIDTH),))
    assert [culprit.ported for culprit in verification.culprits] == [name]

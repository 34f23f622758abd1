"""What the other layers hold tells what a tensor should hold, where modules or tensors go by other names."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from porting import Verification, verify

WIDTH = 12
TENSOR = torch.randn(2, 7, WIDTH, generator=torch.Generator().manual_seed(0))


class Mixed(nn.Module):
    """A layer of the original: bare vectors, and linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.early, self.late = nn.Parameter(torch.zeros(WIDTH)), nn.Parameter(torch.zeros(WIDTH))
        self.up, self.out = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)
        self.last = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.early * self.out(self.up(x).tanh())
        result: torch.Tensor = x + self.late * self.last(x)
        return result


class Turned(nn.Module):
    """A linear layer with its weight the other way round."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(inside, outside)), nn.Parameter(torch.zeros(outside))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight + self.bias


class Scales(nn.Module):
    """Both vectors with axes in front, in a module that the original does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = (nn.Parameter(torch.zeros(1, 1, WIDTH)) for _ in range(2))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.one * x, self.two * y


class Ported(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scales = Scales()
        self.fc1, self.fc2, self.fc3 = Turned(WIDTH, 2 * WIDTH), Turned(2 * WIDTH, WIDTH), Turned(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.scales(self.fc2(self.fc1(x).tanh()), x)[0]
        result: torch.Tensor = x + self.scales(x, self.fc3(x))[1]
        return result


def models() -> tuple[Any, Any]:
    torch.manual_seed(0)
    original: Any = nn.Sequential(*(Mixed() for _ in range(3)))
    for parameter in original.parameters():
        nn.init.normal_(parameter, 0.0, 0.4)
    ported: Any = nn.Sequential(*(Ported() for _ in range(3)))
    with torch.no_grad():
        for one, other in zip(original, ported, strict=True):
            other.scales.one.copy_(one.early)
            other.scales.two.copy_(one.late)
            for theirs, mine in ((one.up, other.fc1), (one.out, other.fc2), (one.last, other.fc3)):
                mine.weight.copy_(theirs.weight.t())
                mine.bias.copy_(theirs.bias)
    return original.eval(), ported.eval()


def verified(original: nn.Module, ported: nn.Module) -> Verification:
    return verify(original, ported, (TENSOR,))


def proven(verification: Verification) -> list[tuple[str, str]]:
    return [(each.ported, each.proven.code) for each in verification.culprits if each.proven]


def test_right_weights_are_a_match() -> None:
    assert verified(*models()).verdict == "match"


def test_vectors_of_a_module_without_a_counterpart_that_changed_places() -> None:
    original, ported = models()
    scales = ported[1].scales
    scales.one.data, scales.two.data = scales.two.data.clone(), scales.one.data.clone()
    assert [code for _, code in proven(verified(original, ported))] == ["swapped"]


def test_a_square_matrix_is_to_be_turned_as_those_of_its_class_are() -> None:
    original, ported = models()
    weight = ported[2].fc3.weight
    weight.data = weight.data.t().clone()
    assert proven(verified(original, ported)) == [("2.fc3", "transposed")]

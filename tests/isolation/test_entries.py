"""Entries: what one side gives a module and the other makes inside it is no fault; a fault there is found."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from porting import Verification, verify

WIDTH, LENGTH = 16, 6
TENSOR = torch.randn(2, LENGTH, WIDTH, generator=torch.Generator().manual_seed(0))


class Layer(nn.Module):
    """A residual block that may norm what it is given first."""

    def __init__(self, *, first: bool = False) -> None:
        super().__init__()
        if first:
            self.start = nn.LayerNorm(WIDTH)
        self.first = first
        self.norm, self.fc = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.start(x) if self.first else x
        result: torch.Tensor = x + self.fc(self.norm(x))
        return result


class Before(nn.Module):
    """Norms before its first layer."""

    def __init__(self) -> None:
        super().__init__()
        self.lift = nn.Linear(WIDTH, WIDTH)
        self.start = nn.LayerNorm(WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.start(self.lift(x))
        for layer in self.layers:
            x = layer(x)
        return x


class Inside(nn.Module):
    """Norms inside its first layer; ``tilt`` is a fault on the way there."""

    def __init__(self, tilt: float = 0.0) -> None:
        super().__init__()
        self.lift = nn.Linear(WIDTH, WIDTH)
        self.layers = nn.ModuleList(Layer(first=index == 0) for index in range(3))
        self.tilt = tilt

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.lift(x) + self.tilt * torch.linspace(-1, 1, WIDTH)
        for layer in self.layers:
            x = layer(x)
        return x


def randomized(model: nn.Module) -> nn.Module:
    for name, parameter in model.named_parameters():
        nn.init.normal_(parameter, float("norm" in name or "start" in name), 0.3)
    return model.eval()


def verified(original: nn.Module, ported: nn.Module) -> Verification:
    """With the weights of ``Before`` and ``Inside``, either way round."""
    torch.manual_seed(0)
    randomized(original)
    moved = {
        name.replace("layers.0.start", "start")
        if isinstance(ported, Before)
        else name.replace("start", "layers.0.start"): tensor
        for name, tensor in original.state_dict().items()
    }
    ported.load_state_dict(moved)
    return verify(original, ported.eval(), (TENSOR,))


@pytest.mark.parametrize(("original", "ported"), [(Before, Inside), (Inside, Before)])
def test_a_part_that_runs_before_the_layer_or_in_it_is_a_match(
    original: type[nn.Module], ported: type[nn.Module]
) -> None:
    verification = verified(original(), ported())
    assert verification.verdict == "match"
    assert verification.comparison.alignment.apart == {("layers.0", "x")}


def test_what_reaches_such_a_layer_wrong_is_found() -> None:
    verification = verified(Before(), Inside(tilt=0.5))
    assert verification.verdict == "mismatch"
    assert verification.culprits[0].ported == ""


def test_a_fault_in_such_a_layer_is_found_there() -> None:
    ported = Inside()
    ported.layers[0].norm.eps = 1e-2  # type: ignore[union-attr]
    assert [culprit.ported for culprit in verified(Before(), ported).culprits] == ["layers.0.norm"]


class Biased(nn.Module):
    """Averages with weights from a bias and perhaps a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor, bias: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        scores = bias if mask is None else bias + mask
        result: torch.Tensor = x + self.fc(scores.softmax(-1) @ x)
        return result


class Mixing(nn.Module):
    """Gives its layers a bias with the mask in it, or both; ``shift`` is a fault in the bias of the second layer."""

    def __init__(self, *, together: bool, shift: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Biased() for _ in range(3))
        self.bias = nn.Parameter(torch.zeros(LENGTH, LENGTH))
        self.together, self.shift = together, shift

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mask = torch.full((LENGTH, LENGTH), -1e9).triu(1)
        for index, layer in enumerate(self.layers):
            bias = self.bias * (1 + self.shift) if index == 1 else self.bias
            x = layer(x, bias + mask) if self.together else layer(x, bias, mask)
        return x


def mixed(shift: float) -> Verification:
    torch.manual_seed(0)
    original = randomized(Mixing(together=True))
    ported = Mixing(together=False, shift=shift)
    ported.load_state_dict(original.state_dict())
    return verify(original, ported.eval(), (TENSOR,))


def test_a_mask_within_the_bias_or_beside_it_is_a_match() -> None:
    verification = mixed(0.0)
    assert verification.verdict == "match"
    assert verification.comparison.alignment.apart == {(f"layers.{layer}", "mask") for layer in range(3)}


def test_a_wrong_bias_beside_the_mask_is_found() -> None:
    verification = mixed(0.5)
    assert verification.verdict == "mismatch"
    assert "layers.1" in {culprit.ported for culprit in verification.culprits}


class Twice(nn.Module):
    """Adds, then norms; ``before`` norms what it is given, too, with the same norm."""

    def __init__(self, *, before: bool) -> None:
        super().__init__()
        self.norm, self.fc, self.before = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH), before

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.norm(x + self.fc(self.norm(x) if self.before else x))
        return result


def test_a_norm_that_is_called_once_too_often_is_no_other_argument() -> None:
    torch.manual_seed(0)
    original = randomized(nn.Sequential(*(Twice(before=False) for _ in range(3))))
    ported = nn.Sequential(*(Twice(before=index == 1) for index in range(3)))
    ported.load_state_dict(original.state_dict())
    verification = verify(original, ported.eval(), (TENSOR,))
    assert verification.culprits[0].ported == "1"

"""Another norm than the original's: its type, its formula, its epsilon, in a module and in code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diagnosed import diagnosed, findings, informative, noise, proven
from torch import nn
from torch.nn import functional

Formula = Callable[[Any, torch.Tensor], torch.Tensor]


class RMSNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5)


def model(norm: nn.Module | None = None) -> nn.Module:
    return informative(nn.Sequential(nn.Linear(8, 8), norm or RMSNorm(), nn.Linear(8, 8)))


def with_formula(formula: Formula) -> Callable[[Any], None]:
    def broken(port: Any) -> None:
        port[1].forward = lambda x: formula(port[1], x)

    return broken


def rows() -> torch.Tensor:
    """Rows of different sizes: an epsilon inside the root is not one outside."""
    return noise(4, 6, 8) * torch.logspace(-3, 0, 24).reshape(4, 6, 1)


def root(x: torch.Tensor) -> torch.Tensor:
    return x.square().mean(-1, keepdim=True).sqrt()


@pytest.mark.parametrize(
    ("formula", "code"),
    [
        (lambda norm, x: norm.weight * x / (root(x) + 1e-5), "norm-formula"),
        (lambda norm, x: (1 + norm.weight) * x * torch.rsqrt(root(x) ** 2 + 1e-5), "norm-formula"),
        (lambda norm, x: functional.normalize(x, dim=-1) * norm.weight, "norm-formula"),
        (lambda norm, x: RMSNorm.forward(norm, RMSNorm.forward(norm, x)), "norm-formula"),
        (lambda norm, x: functional.rms_norm(x, (8,), None, 1e-5), "norm-formula"),
        (lambda norm, x: functional.layer_norm(x, (8,), norm.weight, None, 1e-5), "norm-type"),
        (lambda norm, x: functional.rms_norm(x, (8,), norm.weight, 1e-3), "norm-eps"),
        (lambda norm, x: functional.rms_norm(x, (8,), norm.weight, 1e-6), "norm-eps"),
    ],
    ids=["eps outside", "one plus", "sum", "twice", "no weight", "centred", "larger eps", "smaller eps"],
)
def test_the_formula_of_a_norm_is_told(formula: Formula, code: str) -> None:
    assert proven(diagnosed(model(), with_formula(formula), rows())) == [code]


def test_an_unbiased_variance_is_told_from_a_mean() -> None:
    def formula(norm: nn.LayerNorm, x: torch.Tensor) -> torch.Tensor:
        return (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + norm.eps) * norm.weight + norm.bias

    found = diagnosed(model(nn.LayerNorm(8)), with_formula(formula), noise(4, 6, 8))
    assert proven(found) == ["norm-formula"]
    assert "unbiased variance" in found[0].summary


def test_another_number_of_groups_is_a_type() -> None:
    original = model(nn.Sequential(nn.Unflatten(1, (8, 1)), nn.GroupNorm(4, 8), nn.Flatten(1)))
    found = diagnosed(original, lambda port: setattr(port[1][1], "num_groups", 2), noise(6, 8))
    assert proven(found) == ["norm-type"]
    assert found[0].summary == "num_groups is 2, the original's num_groups is 4"


class InCode(nn.Module):
    eps = 1e-5

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(8, 8), nn.Linear(8, 8)
        self.gain = nn.Parameter(torch.ones(8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.down(functional.rms_norm(self.up(x), (8,), self.gain, self.eps))
        return result


def test_a_norm_in_code_is_recomputed() -> None:
    class Centred(InCode):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.down(functional.layer_norm(self.up(x), (8,), self.gain, None, self.eps))
            return result

    assert proven(findings(informative(InCode()), informative(Centred()), noise(4, 6, 8))) == ["norm-type"]


def test_weights_that_differ_are_no_formula() -> None:
    found = diagnosed(model(), lambda port: port[1].weight.mul_(1.5), rows())
    assert not {"norm-type", "norm-formula", "norm-eps"} & set(proven(found))


def test_a_norm_of_each_head_is_told_from_one_of_all() -> None:
    def by_head(norm: Any, x: torch.Tensor) -> torch.Tensor:
        parts = functional.rms_norm(x.reshape(*x.shape[:-1], 2, 4), (4,), None, 1e-5)
        result: torch.Tensor = parts.flatten(-2) * norm.weight
        return result

    found = diagnosed(model(), with_formula(by_head), rows())
    assert proven(found) == ["norm-type"]
    assert "2 parts of the last axis" in found[0].summary

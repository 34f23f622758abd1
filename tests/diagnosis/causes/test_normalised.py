"""Norms that only the original applies."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gluing import pieced, proven
from torch import nn
from torch.nn import functional

from porting import verify

X = torch.randn(3, 9, 8, generator=torch.Generator().manual_seed(1))
MODULES = {"one": nn.Linear(8, 16), "two": nn.Linear(16, 8)}


@pytest.mark.parametrize("kind", ["layer", "rms"])
def test_a_norm_in_code_that_the_port_lacks(kind: str) -> None:
    norm: Any = functional.layer_norm if kind == "layer" else functional.rms_norm
    verification = pieced(
        lambda m, x: m.two(norm(m.one(x), (16,))),
        lambda m, x: m.two(m.one(x)),
        MODULES,
        X,
    )
    assert proven(verification) == [("", "missing-norm")]


def test_a_bend_is_no_norm() -> None:
    verification = pieced(
        lambda m, x: m.two(functional.layer_norm(m.one(x), (16,)).sin()), lambda m, x: m.two(m.one(x)), MODULES, X
    )
    assert verification.culprits
    assert proven(verification) == []


def test_a_norm_replaced_by_the_identity_whose_own_floor_is_zero() -> None:
    norm = nn.LayerNorm(16)
    ported, original = nn.Sequential(nn.Linear(8, 16), nn.Identity()), nn.Sequential(nn.Linear(8, 16), norm)
    nn.init.normal_(norm.weight, 1.0, 0.4)
    ported[0].load_state_dict(original[0].state_dict())
    verification = verify(original, ported, (X,))
    assert [code for _, code in proven(verification)] == ["missing-norm"]

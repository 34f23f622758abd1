"""Modules that pool in another way than the original's."""

from __future__ import annotations

import pytest
from diagnosed import diagnosed, informative, noise, proven
from torch import nn


def chain(pool: nn.Module) -> nn.Module:
    return informative(nn.Sequential(nn.Conv2d(3, 4, 3), pool, nn.Conv2d(4, 4, 1)))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(3, 2, 1)),
        (nn.MaxPool2d(3, 2, 1), nn.MaxPool2d(2, 2)),
        (nn.AvgPool2d(3, 2, 1), nn.AvgPool2d(3, 2, 1, count_include_pad=False)),
        (nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(1)),
    ],
    ids=["kind", "window", "border", "whole"],
)
def test_another_pooling_is_found(right: nn.Module, wrong: nn.Module) -> None:
    found = diagnosed(chain(right), lambda port: port.add_module("1", wrong), noise(2, 3, 18, 18))
    assert proven(found) == ["pooling"]


def test_a_pooling_that_is_scaled_is_not_claimed() -> None:
    class Doubled(nn.MaxPool2d):
        def forward(self, x):  # type: ignore[no-untyped-def]
            return 2 * super().forward(x)

    found = diagnosed(chain(nn.MaxPool2d(2)), lambda port: port.add_module("1", Doubled(2)), noise(2, 3, 18, 18))
    assert "pooling" not in proven(found)

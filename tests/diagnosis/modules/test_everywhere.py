"""One mistake at several modules."""

from __future__ import annotations

from typing import Any

from seeded import verified
from torch import nn


def wrong_everywhere(port: Any) -> None:
    for layer in port.model.layers:
        layer.mlp.act = nn.GELU(approximate="tanh")


def wrong_once(port: Any) -> None:
    port.model.layers[1].mlp.act = nn.GELU(approximate="tanh")


def test_the_same_mistake_in_every_layer_is_said_to_be_one() -> None:
    culprits = verified(wrong_everywhere).culprits
    assert len(culprits) == 3
    assert all("the same was proven at 2 other modules, so look in the config" in c.causes[0].fix for c in culprits)


def test_a_single_mistake_is_told_by_itself() -> None:
    (culprit,) = verified(wrong_once).culprits
    assert "other module" not in culprit.causes[0].fix

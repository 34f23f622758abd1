"""What tests of tensor relations share: random tensors, and the first relation that explains two."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from porting.comparison.relations import Relation, explain


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    """Standard normal values, the same for the same shape and seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(1000 * seed + sum(shape)))


def kinds(wrong: torch.Tensor, right: torch.Tensor, known: Mapping[str, torch.Tensor] | None = None) -> list[str]:
    """The kinds of all relations, simplest first."""
    return [relation.kind for relation in explain(wrong, right, known)]


def repaired(wrong: torch.Tensor, right: torch.Tensor, known: Mapping[str, torch.Tensor] | None = None) -> Relation:
    """The simplest relation, whose repair is seen to work."""
    relations = explain(wrong, right, known)
    assert relations, "no relation was found"
    value = relations[0].repair(wrong)
    assert value.dtype == wrong.dtype
    torch.testing.assert_close(value, right.to(wrong.dtype), atol=1e-5, rtol=1e-5)
    assert relations[0].residual < 1e-5
    return relations[0]


def recognised(wrong: torch.Tensor, right: torch.Tensor, known: Mapping[str, torch.Tensor] | None = None) -> Relation:
    """The simplest relation, where nothing brings back what was lost."""
    relations = explain(wrong, right, known)
    assert relations, "no relation was found"
    assert relations[0].residual > 1e-5
    torch.testing.assert_close(relations[0].repair(wrong), wrong)
    return relations[0]

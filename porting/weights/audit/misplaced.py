"""Slices of a tensor that are slices of it from another place: shifted, doubled, or left where they were before."""

from __future__ import annotations

import torch

from porting.weights.audit.orders import index_words
from porting.weights.audit.rearranged import same
from porting.weights.audit.relation import Relation
from porting.weights.audit.signatures import prefixes, telling

MOST = 0.5
"""Share of the wrong slices that must be found elsewhere in the tensor."""


def misplaced(model: torch.Tensor, given: torch.Tensor) -> Relation | None:
    """Which slices along an axis hold others of the same tensor, though not all of them are there once."""
    for axis in range(model.dim() if model.dim() > 1 else 0):
        own, theirs = prefixes(model, axis), prefixes(given, axis)
        wrong = (own != theirs).nonzero().flatten()
        moved = wrong[torch.isin(own[wrong], theirs)]
        if len(moved) <= MOST * len(wrong):
            continue
        taken = found_in(theirs, own[moved])
        held, slices = model.index_select(axis, moved), given.index_select(axis, taken)
        if telling(held) and same(held, slices):
            return Relation("permuted", _words(axis, moved, taken, len(wrong) - len(moved)))
    return None


def found_in(signatures: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The first index of each of the wanted signatures, all of which are there."""
    order = signatures.argsort(stable=True)
    return order[torch.searchsorted(signatures[order], wanted)]


def _words(axis: int, moved: torch.Tensor, taken: torch.Tensor, lost: int) -> str:
    others = f", and {lost:,} hold something else" if lost else ""
    held = f"{index_words(moved)} hold its {index_words(taken)}"
    return f"the checkpoint's in another order along axis {axis}: {held}{others}"

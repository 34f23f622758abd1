"""What each tensor of a block is by its place: a matrix, a weight or a bias of channels, a statistic."""

from __future__ import annotations

import re
from collections.abc import Mapping

from porting.nearest.cells import Cell, Held
from porting.weights.inference.words import leaf

BIASES = re.compile(r"[._]?(weight|bias|kernel|gamma|beta|scale|offset)$")


def roles(cell: Cell) -> list[str]:
    """What each tensor of a block is by its place.

    ``""`` for a matrix and more, else one number per channel: ``weight``, ``bias`` beside a matrix, ``shift`` beside
    a weight of its own kind (as a norm has), ``mean`` and ``var`` of a batch norm.
    """
    ranks = {_stem(held.name): len(held.dims) for held in cell.held if _bare_role(held) == "weight"}
    return [_role(held, ranks) for held in cell.held]


def _role(held: Held, ranks: Mapping[str, int]) -> str:
    if len(held.dims) > 1:
        return ""
    bare = _bare_role(held)
    return "shift" if bare == "bias" and ranks.get(_stem(held.name), 2) < 2 else bare


def _bare_role(held: Held) -> str:
    found = leaf(held.name)
    return found if found in ("bias", "mean", "var") else "weight"


def _stem(name: str) -> str:
    return BIASES.sub("", name)

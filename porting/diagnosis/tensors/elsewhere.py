"""Tensors exchanged: one holds what another should, or another holds what it should."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch

from porting.diagnosis.cause import Case
from porting.diagnosis.tensors.explained import Explained
from porting.diagnosis.tensors.owned import (
    Owned,
    axes_close,
    live,
    same_content,
    tensors_of_trace,
)
from porting.diagnosis.tensors.recovered import recovered
from porting.diagnosis.tensors.roles import places
from porting.diagnosis.tensors.rows import rows_in
from porting.diagnosis.tensors.target import Target


def explained_by_another(case: Case, tensor: Owned, target: Target) -> Explained | None:
    """``wrong-layer``, ``swapped`` or ``untied``, if the content is known under another name."""
    if math.prod(tensor.shape) < 2:
        return None
    holder = _holder(case, tensor, target)
    held = _held(case, tensor, target.source)
    if held is None:
        if target.rows is not None and (rows := rows_in(target.source, tensor)) is not None:
            return _other_rows(case, tensor, target, rows, holder)
        if holder is None or not _is_shared(case, target.source):
            return None
        return _untied(case, tensor, target, holder)
    if _tied_to_other(case, tensor, target):
        return _tied(case, tensor, target, held)
    values = recovered(case, tensor, target) if holder is None else _values(case, holder, tensor)
    code = _relation(target.source, held)
    where = f"; {holder.name} holds that" if holder else ""
    return Explained(
        code,
        tensor,
        f"{tensor.name} holds the original's {held.name} where {target.name} belongs{where}",
        f"load the original's {target.name} into {tensor.name} in the conversion, not {held.name}",
        values,
    )


def _other_rows(case: Case, tensor: Owned, target: Target, rows: np.ndarray, holder: Owned | None) -> Explained | None:
    """``swapped``, for a part that is other rows of the fused tensor than in the other layers."""
    if target.rows is None or np.intersect1d(rows, target.rows).size:
        return None
    values = recovered(case, tensor, target) if holder is None else _values(case, holder, tensor)
    where = f"; {holder.name} holds those" if holder else ""
    return Explained(
        "swapped",
        tensor,
        f"{tensor.name} holds rows {rows.min()} to {rows.max()} of the original's {target.source.name} "
        f"where {target.rows.min()} to {target.rows.max()} belong{where}",
        f"split the original's {target.source.name} in the order in which the other layers' was split",
        values,
    )


def _holder(case: Case, tensor: Owned, target: Target) -> Owned | None:
    """A ported tensor that holds what this one should, also transposed; no constant, which says nothing."""
    for other in tensors_of_trace(case.ported):
        if other.name != tensor.name and not other.is_constant and other.info.tied_to != tensor.name:
            if target.held_by(other):
                return other
            if other.shape == target.shape[::-1] and axes_close(target.axes, other.turned):
                return other
    return None


def _held(case: Case, tensor: Owned, wanted: Owned) -> Owned | None:
    """The original tensor whose content this one has instead; the one nearest to what it should hold by name."""
    found = [one for one in _all_held(case, tensor) if one.name != wanted.name]
    return min(found, key=lambda one: _distance(one, wanted), default=None)


def _all_held(case: Case, tensor: Owned) -> list[Owned]:
    """The original's tensors that a ported one has the content of; none for a constant, which says nothing."""
    return [] if tensor.is_constant else [one for one in tensors_of_trace(case.original) if _is_held(tensor, one)]


def _is_held(tensor: Owned, one: Owned) -> bool:
    if one.is_constant:
        return False
    turned = tensor.shape == one.shape[::-1] and axes_close(one.turned, tensor.axes)
    return same_content(one, tensor) or turned


def _distance(one: Owned, other: Owned) -> tuple[bool, bool]:
    return places(one.path)[0] != places(other.path)[0], one.info.name != other.info.name


def _values(case: Case, holder: Owned, tensor: Owned) -> torch.Tensor:
    found = live(case.model, holder).detach()
    return found if tuple(found.shape) == tensor.shape and holder.shape == tensor.shape else found.t()


def _relation(wanted: Owned, held: Owned) -> str:
    """``wrong-layer`` if the paths differ in their numbers alone, else ``swapped``."""
    one, other = places(wanted.path), places(held.path)
    alike = one[0] == other[0] and one[1] != other[1] and wanted.info.name == held.info.name
    return "wrong-layer" if alike else "swapped"


def _is_shared(case: Case, source: Owned) -> bool:
    """Whether the original keeps a tensor under two names."""
    others = (one for one in tensors_of_trace(case.original) if one.name != source.name)
    return source.info.tied_to is not None or any(one.info.tied_to == source.name for one in others)


def _untied(case: Case, tensor: Owned, target: Target, holder: Owned) -> Explained:
    return Explained(
        "untied",
        tensor,
        f"{tensor.name} is a tensor of its own, in the original {target.name} is shared, and {holder.name} holds it",
        f"tie {tensor.name} to {holder.name} (tie_word_embeddings, _tied_weights_keys)",
        _values(case, holder, tensor),
    )


def explained_by_tying(case: Case, tensor: Owned) -> Iterator[Explained]:
    """``untied``, for a matrix that is no tensor of the original's: the port's tables of the same shape."""
    if len(tensor.shape) != 2 or tensor.info.tied_to or _all_held(case, tensor):
        return
    for other in tensors_of_trace(case.ported):
        table = "embed" in case.ported.modules[other.path].class_name.lower() and other.name != tensor.name
        if table and other.shape == tensor.shape and _all_held(case, other):
            yield Explained(
                "untied",
                tensor,
                f"{tensor.name} is a tensor of its own that the original does not have, where {other.name} is used",
                f"tie {tensor.name} to {other.name} (tie_word_embeddings, _tied_weights_keys)",
                live(case.model, other).detach(),
            )


def _tied_to_other(case: Case, tensor: Owned, target: Target) -> bool:
    """Whether the port shares a tensor that the original has on its own."""
    others = tensors_of_trace(case.ported)
    tied = tensor.info.tied_to is not None or any(one.info.tied_to == tensor.name for one in others)
    return tied and not _is_shared(case, target.source)


def _tied(case: Case, tensor: Owned, target: Target, held: Owned) -> Explained:
    return Explained(
        "untied",
        tensor,
        f"{tensor.name} is tied and holds the original's {held.name}, where {target.name} is a tensor of its own",
        f"do not tie {tensor.name} (tie_word_embeddings=False) and load the original's {target.name} into it",
        recovered(case, tensor, target),
    )

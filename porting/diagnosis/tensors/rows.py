"""Targets by rows: parts of fused projections, and rows that are kept in another order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from porting.alignment import Group
from porting.diagnosis.cause import Case
from porting.diagnosis.tensors.owned import Owned, axes_of
from porting.diagnosis.tensors.roles import places, role
from porting.diagnosis.tensors.target import Target, layouts
from porting.trace import ModuleInfo


def parts(case: Case, tensor: Owned, wanted: str) -> Iterator[Target]:
    """The rows of a fused original tensor for one of several parts: its own, or those that no part holds.

    Args:
        case: with the alignment.
        tensor: of the part.
        wanted: role of the original's tensor: the part's own, or ``bias`` for the rows of its weight.
    """
    home = tensor.path.rpartition(".")[0]
    groups = [g for g in case.alignment.groups if len(g.original) == 1 and len(g.ported) > 1]
    kin = [g for g in groups if any(path.rpartition(".")[0] == home for path in g.ported)]
    for group in sorted(kin, key=lambda g: tensor.path not in g.ported):
        whole = case.original.modules[group.original[0]]
        rows = _rows_of(case, whole, tensor, group)
        for info in whole.parameters:
            if rows is not None and role(info.name) == wanted and info.sketch is not None:
                yield _some_rows(case, Owned(whole.path, info), rows)


def in_order(case: Case, source: Owned, tensor: Owned) -> Iterator[Target]:
    """The original's tensor with its rows in the order in which the port keeps them on purpose."""
    rows = _kept_rows(case, tensor.path)
    if rows is not None and source.info.sketch is not None and source.shape and len(rows) == source.shape[0]:
        yield _some_rows(case, source, rows)
    else:
        yield from layouts(source, tensor, certain=True)


def whole(case: Case, source: Owned, beside: Owned) -> Iterator[Target]:
    """An original tensor that the port does not have, in the order of the rows beside which it would be."""
    rows = _kept_rows(case, beside.path) if beside.path in case.alignment.reordered else None
    if rows is not None and source.shape and len(rows) == source.shape[0]:
        yield _some_rows(case, source, rows)
    else:
        yield Target(source, source.shape, source.axes)


def customary(case: Case, source: Owned, tensor: Owned) -> Iterator[Target]:
    """The original's tensor with its rows in the order in which all the other layers keep theirs, if it is another."""
    family, numbers = places(tensor.path)
    if not numbers or len(tensor.shape) > 2 or source.info.sketch is None:
        return
    rows = _kept_rows(case, tensor.path)
    others = [
        _kept_rows(case, path)
        for path in case.ported.modules
        if path != tensor.path and places(path)[0] == family and path in case.alignment.original_of
    ]
    first = others[0] if others else None
    if rows is None or first is None or len(rows) != source.shape[0] or np.array_equal(rows, first):
        return
    if all(each is not None and np.array_equal(each, first) for each in others):
        in_turn = bool((first == np.arange(len(first))).all())
        yield replace(_some_rows(case, source, first), apart=not in_turn)


def _kept_rows(case: Case, path: str) -> np.ndarray | None:
    """Where the rows of a module's matrix are in that of its counterpart; None if they are not."""
    one = main_tensor(case.original.modules[case.alignment.original_of[path]])
    other = main_tensor(case.ported.modules[path])
    fits = one is not None and other is not None and one.shape == other.shape and len(one.shape) == 2
    return rows_in(one, other) if one is not None and fits else None


def _rows_of(case: Case, whole: ModuleInfo, tensor: Owned, group: Group) -> np.ndarray | None:
    main, mine = main_tensor(whole), main_tensor(case.ported.modules[tensor.path])
    if main is None or mine is None or not mine.shape:
        return None
    rows = _rows_of_others(case, main, tensor)
    if rows is None:
        rows = rows_in(main, mine)
    if rows is None:
        held = [rows_in(main, main_tensor(case.ported.modules[path])) for path in group.ported if path != tensor.path]
        taken = np.concatenate([np.empty(0, int), *(each for each in held if each is not None)])
        rows = np.setdiff1d(np.arange(main.shape[0]), taken)
    return rows if len(rows) == mine.shape[0] else None


def _rows_of_others(case: Case, main: Owned, tensor: Owned) -> np.ndarray | None:
    """Which rows of the fused tensors of their layers the other layers' parts of this name all are."""
    family, theirs = places(tensor.path)[0], places(main.path)[0]
    wholes = {places(path)[1]: main_tensor(module) for path, module in case.original.modules.items()
              if places(path)[0] == theirs and path != main.path}  # fmt: skip
    found = [
        rows_in(whole, main_tensor(module))
        for path, module in case.ported.modules.items()
        if places(path)[0] == family and path != tensor.path and (whole := wholes.get(places(path)[1])) is not None
    ]
    known = [rows for rows in found if rows is not None]
    return known[0] if known and all(np.array_equal(known[0], rows) for rows in known) else None


def _some_rows(case: Case, whole: Owned, rows: np.ndarray) -> Target:
    """Rows of an original tensor, with the signatures of columns where its content is at hand."""
    shape = (len(rows), *whole.shape[1:])
    target = Target(whole, shape, (whole.axes[0][rows], *(None for _ in whole.axes[1:])), rows=rows, certain=False)
    content = target.content(case)
    return target if content is None else Target(whole, shape, axes_of(content), rows=rows)


def main_tensor(module: ModuleInfo) -> Owned | None:
    """The tensor of a module with the most dimensions."""
    infos = [info for info in module.parameters if info.sketch is not None]
    return Owned(module.path, max(infos, key=lambda info: len(info.shape))) if infos else None


def rows_in(whole: Owned, part: Owned | None) -> np.ndarray | None:
    """Where the rows of a part are among those of a whole; None unless each is."""
    if part is None or not part.axes or not whole.axes or whole.axes[0].size < 2:
        return None
    order = np.argsort(whole.axes[0])
    rows, wanted = whole.axes[0][order], part.axes[0]
    right = np.clip(np.searchsorted(rows, wanted), 1, len(rows) - 1)
    nearest = np.where(np.abs(rows[right] - wanted) < np.abs(rows[right - 1] - wanted), right, right - 1)
    close = np.abs(rows[nearest] - wanted) <= 1e-6 * float(np.std(rows))
    return order[nearest] if bool(close.all()) else None

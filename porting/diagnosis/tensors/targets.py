"""Which original tensor a ported one should hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from porting.alignment import Group
from porting.diagnosis.cause import Case
from porting.diagnosis.tensors.owned import (
    Axes,
    Owned,
    axes_close,
    axes_of,
    same_content,
    tensors_of_trace,
)
from porting.diagnosis.tensors.roles import places, role
from porting.trace import ModuleInfo, ParameterInfo, Trace, shared_rows

MOST_STRANGERS = 4
"""Original tensors that nothing in the port holds which are held against one ported tensor."""


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """What a ported tensor should hold.

    Attributes:
        source: the original tensor.
        shape: in the port.
        axes: of the wanted content's sketch, as the port lays it out.
        turned: whether the port keeps the matrix transposed.
        rows: of the original's fused tensor; None for all of it.
        certain: whether alignment or names say so, and not only that nothing else is left.
    """

    source: Owned
    shape: tuple[int, ...]
    axes: Axes
    turned: bool = False
    rows: np.ndarray | None = None
    certain: bool = True

    @property
    def name(self) -> str:
        """The original's name in print."""
        return f"rows of {self.source.name}" if self.rows is not None else self.source.name

    def met_by(self, values: torch.Tensor) -> bool:
        """Whether these are the wanted values, by their sketch."""
        return tuple(values.shape) == self.shape and axes_close(self.axes, axes_of(values))

    def held_by(self, tensor: Owned) -> bool:
        """Whether a traced tensor holds the wanted values."""
        return tensor.shape == self.shape and axes_close(self.axes, tensor.axes)

    def written_out(self) -> torch.Tensor | None:
        """The values, if the sketch gives them: of a vector, or of a tensor with one element in each slice."""
        first = self.axes[0] if self.axes else None
        if first is None or math.prod(self.shape) != first.size or self.source.info.dtype.startswith("complex"):
            return None
        scale = 1.0 if len(self.shape) < 2 else _first_weight()
        return torch.from_numpy(first / scale).reshape(self.shape)

    def content(self, case: Case) -> torch.Tensor | None:
        """The values in the port's layout: from the sketch, else from the live original; None without it."""
        if (values := self.written_out()) is not None:
            return values
        whole = case.weights(self.source.path, self.source.info.name)
        if whole is None:
            return None
        return whole.t() if self.turned else whole if self.rows is None else whole[torch.from_numpy(self.rows)]


def _first_weight() -> float:
    return float(axes_of(torch.ones(1, 1, dtype=torch.float64))[0][0])


def subjects(case: Case) -> Iterator[Owned]:
    """The tensors of the port that can be at fault: the culprit's own, and of what below it is not judged by itself.

    What an aligned module below makes is compared by itself and replaced, so that a wrong tensor there cannot show
    here.
    """
    judged = {call.path for _, call in case.alignment.calls(case.original, case.ported)}
    below = f"{case.path}." if case.path else ""
    for path, module in case.ported.modules.items():
        if path != case.path and not path.startswith(below):
            continue
        chain = path.split(".")
        above = {".".join(chain[:depth]) for depth in range(len(chain) + 1)}
        if not any(name in judged for name in above if name.startswith(below) and name != case.path):
            yield from (Owned(path, info) for info in module.parameters if info.sketch is not None)


def targets(case: Case, tensor: Owned) -> Iterator[Target]:
    """What a ported tensor may have to hold, likeliest first; nothing if that cannot be told."""
    counterpart = case.alignment.original_of.get(tensor.path)
    if counterpart is not None:
        pairs = dict(_by_ported_name(case.original.modules[counterpart], case.ported.modules[tensor.path]))
        if (info := pairs.get(tensor.info.name)) is not None:
            source = Owned(counterpart, info)
            reordered = tensor.path in case.alignment.reordered
            yield from _in_order(case, source, tensor) if reordered else _layouts(source, tensor, certain=True)
            return
    yield from _parts(case, tensor, role(tensor.info.name))
    yield from _of_place(case, tensor)
    if not tensor.is_constant or tensor.info.kind != "non-persistent buffer":
        yield from _strangers(case, tensor)


def straight(case: Case, tensor: Owned) -> Iterator[Target]:
    """For a tensor of a module whose rows are aligned in another order: the original's in its own order."""
    counterpart = case.alignment.original_of.get(tensor.path)
    if counterpart is not None and tensor.path in case.alignment.reordered:
        pairs = dict(_by_ported_name(case.original.modules[counterpart], case.ported.modules[tensor.path]))
        if (info := pairs.get(tensor.info.name)) is not None:
            yield from _layouts(Owned(counterpart, info), tensor, certain=False)


def tensor_pairs(one: ModuleInfo, other: ModuleInfo) -> Iterator[tuple[ParameterInfo, ParameterInfo]]:
    """Tensors of two aligned modules that do the same work: by name, by role, the rest in order if none is over."""
    left = {info.name: info for info in one.parameters}
    right = {info.name: info for info in other.parameters}
    for name in [name for name in right if name in left]:
        yield left.pop(name), right.pop(name)
    for name in list(right):
        same = [theirs for theirs in left if role(theirs) == role(name)]
        if len(same) == 1:
            yield left.pop(same[0]), right.pop(name)
    left = {name: info for name, info in left.items() if info.kind != "non-persistent buffer"}
    right = {name: info for name, info in right.items() if info.kind != "non-persistent buffer"}
    if len(left) == len(right):
        yield from zip(left.values(), right.values(), strict=True)


def _by_ported_name(one: ModuleInfo, other: ModuleInfo) -> Iterator[tuple[str, ParameterInfo]]:
    return ((theirs.name, mine) for mine, theirs in tensor_pairs(one, other))


def _layouts(source: Owned, tensor: Owned, *, certain: bool) -> Iterator[Target]:
    """The original's tensor as it is, or transposed where the shapes allow it."""
    if source.info.sketch is None:
        return
    if source.shape == tensor.shape:
        yield Target(source, tensor.shape, source.axes, certain=certain)
    elif len(tensor.shape) == 2 and source.shape == tensor.shape[::-1]:
        yield Target(source, tensor.shape, source.turned, turned=True, certain=certain)
    elif _squeezed(source.shape) == _squeezed(tensor.shape) and len(source.axes) == len(tensor.axes) == 1:
        yield Target(source, tensor.shape, source.axes, certain=certain)


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)


def _of_place(case: Case, tensor: Owned) -> Iterator[Target]:
    """For a tensor that holds the original's of another layer: the original's of its own.

    Where all the layers hold that of another at the same distance, the two sides count in different ways.
    """
    family, numbers = places(tensor.path)
    if tensor.is_constant or not numbers:
        return
    held = [one for one in tensors_of_trace(case.original) if same_content(one, tensor)]
    if any(places(one.path)[1] == numbers for one in held):
        return
    siblings = [each for each in _family(case.ported, family, tensor.info.name) if each.name != tensor.name]
    for one in held:
        theirs, others = places(one.path)
        kin = _family(case.original, theirs, one.info.name)
        if len(others) == len(numbers) and not _all_shifted(siblings, kin, _shift(numbers, others)):
            for each in kin:
                if places(each.path)[1] == numbers:
                    yield from _layouts(each, tensor, certain=True)


def _family(trace: Trace, family: str, name: str) -> list[Owned]:
    """The tensors of one name in modules whose paths differ in their numbers alone."""
    return [each for each in tensors_of_trace(trace) if each.info.name == name and places(each.path)[0] == family]


def _all_shifted(siblings: list[Owned], kin: list[Owned], shift: tuple[int, ...]) -> bool:
    """Whether every tensor holds that of the layer at one distance from its own."""
    return all(
        any(same_content(each, one) and _shift(places(each.path)[1], places(one.path)[1]) == shift for one in kin)
        for each in siblings
    )


def _shift(numbers: tuple[int, ...], others: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(other - number for number, other in zip(numbers, others, strict=False))


def _parts(case: Case, tensor: Owned, wanted: str) -> Iterator[Target]:
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


def _rows_of(case: Case, whole: ModuleInfo, tensor: Owned, group: Group) -> np.ndarray | None:
    main, mine = _main(whole), _main(case.ported.modules[tensor.path])
    if main is None or mine is None or not mine.shape:
        return None
    rows = _rows_in(main, mine)
    if rows is None:
        held = [_rows_in(main, _main(case.ported.modules[path])) for path in group.ported if path != tensor.path]
        taken = np.concatenate([np.empty(0, int), *(each for each in held if each is not None)])
        rows = np.setdiff1d(np.arange(main.shape[0]), taken)
    return rows if len(rows) == mine.shape[0] else None


def _some_rows(case: Case, whole: Owned, rows: np.ndarray) -> Target:
    """Rows of an original tensor, with the signatures of columns where its content is at hand."""
    shape = (len(rows), *whole.shape[1:])
    target = Target(whole, shape, (whole.axes[0][rows], *(None for _ in whole.axes[1:])), rows=rows, certain=False)
    content = target.content(case)
    return target if content is None else Target(whole, shape, axes_of(content), rows=rows)


def _in_order(case: Case, source: Owned, tensor: Owned) -> Iterator[Target]:
    """The original's tensor with its rows in the order in which the port keeps them on purpose."""
    one, other = _main(case.original.modules[source.path]), _main(case.ported.modules[tensor.path])
    rows = None if one is None or other is None or one.shape != other.shape else _rows_in(one, other)
    if rows is not None and source.info.sketch is not None and source.shape and len(rows) == source.shape[0]:
        yield _some_rows(case, source, rows)
    else:
        yield from _layouts(source, tensor, certain=True)


def _main(module: ModuleInfo) -> Owned | None:
    """The tensor of a module with the most dimensions."""
    infos = [info for info in module.parameters if info.sketch is not None]
    return Owned(module.path, max(infos, key=lambda info: len(info.shape))) if infos else None


def _rows_in(whole: Owned, part: Owned | None) -> np.ndarray | None:
    """Where the rows of a part are among those of a whole; None unless each is."""
    if part is None or not part.axes or not whole.axes or whole.axes[0].size < 2:
        return None
    order = np.argsort(whole.axes[0])
    rows, wanted = whole.axes[0][order], part.axes[0]
    right = np.clip(np.searchsorted(rows, wanted), 1, len(rows) - 1)
    nearest = np.where(np.abs(rows[right] - wanted) < np.abs(rows[right - 1] - wanted), right, right - 1)
    close = np.abs(rows[nearest] - wanted) <= 1e-6 * float(np.std(rows))
    return order[nearest] if bool(close.all()) else None


def _strangers(case: Case, tensor: Owned) -> Iterator[Target]:
    """Original tensors of that shape which nothing in the port holds; those below the culprit's counterpart first."""
    if any(same_content(tensor, one) for one in tensors_of_trace(case.original)) and not tensor.is_constant:
        return
    ported = list(tensors_of_trace(case.ported))
    home = _home(case, tensor.path)
    found: list[tuple[bool, bool, int, Owned]] = []
    for one in tensors_of_trace(case.original):
        fits = tensor.shape in (one.shape, one.shape[::-1]) and len(tensor.shape) == len(one.shape)
        if not fits or one.is_constant or any(_holds(other, one) for other in ported):
            continue
        near = home is not None and (one.path == home or one.path.startswith(f"{home}."))
        found.append((not near, role(one.info.name) != role(tensor.info.name), len(found), one))
    for *_, one in sorted(found, key=lambda each: each[:3])[:MOST_STRANGERS]:
        yield from _layouts(one, tensor, certain=len(found) == 1)


def _holds(other: Owned, one: Owned) -> bool:
    if other.info.sketch is None or one.info.sketch is None:
        return False
    if same_content(one, other) or (one.shape == other.shape[::-1] and axes_close(one.turned, other.axes)):
        return True
    split = len(one.shape) == len(other.shape) == 2 and one.shape[1] == other.shape[1]
    return split and one.shape[0] < other.shape[0] and shared_rows(other.info.sketch, one.info.sketch) > 0.95


def _home(case: Case, path: str) -> str | None:
    """The counterpart of the innermost aligned module that holds a path; the model is that of the model."""
    while path:
        if (found := case.alignment.original_of.get(path)) is not None:
            return found or None
        path = path.rpartition(".")[0]
    return None


def lacking(case: Case) -> Iterator[tuple[str, Target]]:
    """Modules of the port without a tensor that their counterparts have, with that: path and what it should hold."""
    for path in dict.fromkeys((case.path, *(tensor.path for tensor in subjects(case)))):
        held = {role(info.name) for info in case.ported.modules[path].parameters}
        counterpart = case.alignment.original_of.get(path)
        if counterpart is not None:
            for info in case.original.modules[counterpart].parameters:
                if role(info.name) not in held and info.sketch is not None:
                    source = Owned(counterpart, info)
                    yield path, Target(source, source.shape, source.axes)
        elif (main := _main(case.ported.modules[path])) is not None and "bias" not in held and main.shape:
            yield from ((path, target) for target in _parts(case, main, "bias"))

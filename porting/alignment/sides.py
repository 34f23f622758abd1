"""One side of an alignment: its executed modules as rows, and what is known of each without looking at values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from porting.trace import Call, ModuleInfo, Trace

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Side:
    """The modules that ran, in the order in which they were first called; every array has a row for each."""

    trace: Trace

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """The first call of each module."""
        return tuple(self.trace.first_calls.values())

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Their paths."""
        return tuple(call.path for call in self.calls)

    @cached_property
    def row(self) -> Mapping[str, int]:
        """The row of a path."""
        return {path: row for row, path in enumerate(self.paths)}

    @cached_property
    def above(self) -> np.ndarray:
        """``above[i, j]``: whether the call of j was made within that of i, directly or not; bool."""
        found = np.zeros((len(self.calls), len(self.calls)), bool)
        for row, call in enumerate(self.calls):
            parent = self.trace.parent_of(call)
            if parent is not None:
                over = self.row[parent.path]
                found[:, row] |= found[:, over]
                found[over, row] = True
        np.fill_diagonal(found, False)
        return found

    @cached_property
    def named_above(self) -> np.ndarray:
        """``named_above[i, j]``: whether the path of j lies below that of i; bool."""
        found = np.zeros((len(self.paths), len(self.paths)), bool)
        for path, row in self.row.items():
            for over in ancestors(path)[1:]:
                if over in self.row:
                    found[self.row[over], row] = True
        return found

    @cached_property
    def leaves(self) -> np.ndarray:
        """Which call no other module; bool."""
        return np.asarray(~self.above.any(1))

    @cached_property
    def roles(self) -> tuple[str, ...]:
        """Paths without their numbers: equal for the same place in every layer."""
        return tuple(re.sub(r"\d+", "*", path) for path in self.paths)

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """The numbers in the paths: which layer it is."""
        return tuple(".".join(re.findall(r"\d+", path)) for path in self.paths)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The last part of each path."""
        return tuple(path.rsplit(".", 1)[-1] for path in self.paths)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Class names, without what is added to them by habit."""
        return tuple(call.class_name.lower().removesuffix("activation") for call in self.calls)

    @cached_property
    def kinds(self) -> np.ndarray:
        """``dropout``, ``identity`` or ``other``."""
        return np.array(
            ["dropout" if "drop" in name else "identity" if "identity" in name else "other" for name in self.classes]
        )

    @cached_property
    def own_shapes(self) -> tuple[Shapes, ...]:
        """Shapes of the parameters that each owns itself, their dimensions in any order, the largest last."""
        return tuple(_shapes([self.trace.modules[path]]) for path in self.paths)

    @cached_property
    def held_shapes(self) -> tuple[Shapes, ...]:
        """The same with what lies below."""
        below: dict[str, list[ModuleInfo]] = {path: [] for path in self.paths}
        for module in self.trace.modules.values():
            for path in ancestors(module.path):
                if path in below:
                    below[path].append(module)
        return tuple(_shapes(below[path]) for path in self.paths)

    @cached_property
    def result_shapes(self) -> tuple[tuple[int, ...] | None, ...]:
        """Shape of the first tensor that each returns."""
        return tuple(next((leaf.shape for leaf in call.outputs.tensor_leaves()), None) for call in self.calls)


def ancestors(path: str) -> list[str]:
    """The path itself and everything above it, the model last."""
    names = path.split(".") if path else []
    return [".".join(names[:length]) for length in range(len(names), -1, -1)]


def equal(left: Sequence[object], right: Sequence[object]) -> np.ndarray:
    """Which of the left are which of the right: bool, (left, right)."""
    one, other, _ = numbered(left, right)
    found: np.ndarray = one[:, None] == other[None, :]
    return found


def numbered(left: Sequence[object], right: Sequence[object]) -> tuple[np.ndarray, np.ndarray, int]:
    """Numbers in the place of values, equal for equal ones, and how many there are."""
    number: dict[object, int] = {}
    one, other = (np.array([number.setdefault(each, len(number)) for each in side], int) for side in (left, right))
    return one, other, len(number)


def _shapes(modules: Sequence[ModuleInfo]) -> Shapes:
    shapes = [tuple(sorted(p.shape)) for module in modules for p in module.parameters if p.kind == "parameter"]
    return tuple(sorted(shapes, key=lambda shape: (int(np.prod(shape)), shape)))

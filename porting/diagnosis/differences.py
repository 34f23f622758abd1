"""What differs between two aligned modules without running anything: weights, settings, mode."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from porting.alignment import Alignment
from porting.alignment.contents import reshaped
from porting.diagnosis.tensors.pairs import tensor_pairs
from porting.trace import ModuleInfo, ParameterInfo, Trace

EQUAL = 1e-6
"""Relative distance of sketches under which two float tensors count as the same values."""
CAST = 1e-2
"""The same for values that were rounded to another dtype; bfloat16 moves a sketch by a few thousandths."""


@dataclass(frozen=True, slots=True)
class Differences:
    """What differs, each in a clause."""

    weights: tuple[str, ...]
    settings: tuple[str, ...]

    def texts(self) -> tuple[str, ...]:
        """Weights first."""
        return self.weights + self.settings


def module_differences(original: Trace, ported: Trace, alignment: Alignment, path: str) -> Differences:
    """What differs at one ported module.

    A module without a counterpart is looked at through its parent: a function there may do its work.
    """
    counterpart = alignment.original_of.get(path)
    module = ported.modules[path]
    if counterpart is None:
        holds_others = any(other.startswith(f"{path}.") for other in ported.modules)
        return Differences((), () if holds_others else tuple(_functional(original, ported, alignment, path)))
    one = original.modules[counterpart]
    weights = differing_weights(original, one, module, any_order=path in alignment.reordered)
    return Differences(tuple(weights), tuple(_differing_settings(one, module)))


def differing_weights(
    original: Trace, one: ModuleInfo, other: ModuleInfo, *, any_order: bool = False
) -> Iterator[str]:
    """Each own tensor of the ported module that does not hold what its counterpart holds.

    Args:
        original: where another holder of the values is looked for.
        one: the original module.
        other: the ported module.
        any_order: let rows be in another order, as where the modules were aligned in that.
    """
    for mine, theirs in tensor_pairs(one, other):
        if theirs.kind == "non-persistent buffer" or reshaped(mine, theirs):
            continue
        if any_order and _same_rows(mine, theirs):
            continue
        if mine.shape != theirs.shape and mine.shape != theirs.shape[::-1]:
            yield f"{theirs.name} has shape {theirs.shape}, the original's {mine.name} has {mine.shape}"
        elif _equal(mine, theirs):
            continue
        elif mine.dtype != theirs.dtype and _equal(mine, theirs, CAST):
            rounded = f"{theirs.name} is {theirs.dtype}, the original's {mine.name} is {mine.dtype}"
            yield f"{rounded}{_distance(mine, theirs)}"
        else:
            known = _what(original, mine, theirs)
            yield f"{theirs.name} differs from the original's {mine.name}{_distance(mine, theirs)}: {known}"


def _what(original: Trace, mine: ParameterInfo, theirs: ParameterInfo) -> str:
    """What a ported tensor holds instead."""
    if _constant(theirs):
        return "one value fills it"
    if (holder := _holder(original, theirs)) is not None:
        return f"it holds the original's {holder}"
    if _same_rows(mine, theirs):
        return "it has the same rows in another order"
    return "it is close, as if rounded" if _equal(mine, theirs, CAST) else "it equals no tensor of the original"


def _constant(tensor: ParameterInfo) -> bool:
    return tensor.sketch is not None and all(axis.size < 2 or not np.ptp(axis) for axis in tensor.sketch.axes)


def _same_rows(mine: ParameterInfo, theirs: ParameterInfo) -> bool:
    """Whether the signatures of the first axis are equal in any order."""
    if mine.shape != theirs.shape or mine.sketch is None or theirs.sketch is None or _constant(mine):
        return False
    return _close(np.sort(mine.sketch.axes[0]), np.sort(theirs.sketch.axes[0]))


def _equal(mine: ParameterInfo, theirs: ParameterInfo, distance: float = EQUAL) -> bool:
    if mine.sketch is None or theirs.sketch is None:
        return True  # what was not recorded is no evidence of a difference
    if mine.shape == theirs.shape and (mine.dtype, mine.sketch.crc32) == (theirs.dtype, theirs.sketch.crc32):
        return True
    if mine.shape == theirs.shape and all(
        _close(a, b, distance) for a, b in zip(mine.sketch.axes, theirs.sketch.axes, strict=True)
    ):
        return True
    transposed = len(mine.shape) == 2 and mine.shape == theirs.shape[::-1] and mine.shape != theirs.shape
    return transposed and _close(mine.sketch.axes[0], theirs.sketch.axes[1], distance)


def _close(a: np.ndarray, b: np.ndarray, distance: float = EQUAL) -> bool:
    return float(np.linalg.norm(a - b)) <= distance * float(np.linalg.norm(a))


def _distance(mine: ParameterInfo, theirs: ParameterInfo) -> str:
    if mine.sketch is None or theirs.sketch is None or mine.shape != theirs.shape:
        return ""
    a, b = mine.sketch.axes[0], theirs.sketch.axes[0]
    scale = float(np.linalg.norm(a))
    return f" (relative distance {float(np.linalg.norm(a - b)) / scale:.2g})" if scale else ""


def _holder(original: Trace, theirs: ParameterInfo) -> str | None:
    """Full name of the original tensor whose content a ported one has, also transposed."""
    assert theirs.sketch is not None
    for module in original.modules.values():
        for parameter in module.parameters:
            if parameter.sketch is None or math.prod(parameter.shape) < 2:
                continue
            name = f"{module.path}.{parameter.name}" if module.path else parameter.name
            if parameter.shape == theirs.shape and parameter.sketch.crc32 == theirs.sketch.crc32:
                return name
            turned = len(theirs.shape) == 2 and parameter.shape == theirs.shape[::-1]
            if turned and _close(parameter.sketch.axes[0], theirs.sketch.axes[1]):
                return f"{name}, transposed"
    return None


def _differing_settings(one: ModuleInfo, other: ModuleInfo) -> Iterator[str]:
    if one.training != other.training and _mode_matters(other):
        yield f"training mode is {'on' if other.training else 'off'}, in the original it is {_on(one.training)}"
    left = {_canonical(name): (name, value) for name, value in one.settings.items()}
    for name, value in other.settings.items():
        theirs, mine = left.get(_canonical(name), (name, value))
        numbers = all(type(each) in (bool, int, float) for each in (mine, value))
        if mine != value and (numbers or type(mine) is type(value) is str):
            yield f"{name} is {value}, the original's {theirs} is {mine}"


def _mode_matters(module: ModuleInfo) -> bool:
    """Whether a module by itself behaves differently in training mode: dropout, running statistics."""
    return "drop" in module.class_name.lower() or any(p.name == "running_mean" for p in module.parameters)


def _functional(original: Trace, ported: Trace, alignment: Alignment, path: str) -> Iterator[str]:
    """A setting of the original parent that has the name of a ported child without a counterpart."""
    parent, _, leaf = path.rpartition(".")
    counterpart = alignment.original_of.get(parent)
    own = ported.modules[path]
    description = own.class_name + "".join(f", {name}={value}" for name, value in list(own.settings.items())[:4])
    setting = original.modules[counterpart].settings.get(leaf) if counterpart is not None else None
    if setting is not None:
        yield f"{leaf} is {description}, the original's {counterpart or 'model'} has {leaf} = {setting}"
    else:
        yield f"it is {description}, and no module of the original does the same"


def _canonical(name: str) -> str:
    """One name for the many that a norm's epsilon goes by; other names as they are."""
    return "eps" if "eps" in name.lower() else name


def _on(flag: bool) -> str:
    return "on" if flag else "off"

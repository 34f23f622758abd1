"""Which weights of a port are those of the original that ran: by their values, or by what is computed with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from porting.coverage import judged_equal
from porting.diagnosis import differing_weights
from porting.text import show
from porting.trace import shared_rows

if TYPE_CHECKING:
    from porting.alignment import Group
    from porting.trace import ModuleInfo, ParameterInfo
    from porting.verification import Verification

WHOLE = 0.95
"""Share of a tensor's rows that must be found in its counterpart; equal rows of a few may hide."""


@dataclass(frozen=True, slots=True)
class HeldWeights:
    """The port's weights, held against the original's module by module.

    Attributes:
        compared: how many lie in a module that has a counterpart.
        different: place and words of each that is not what its counterpart holds, where nothing shows that the two
            compute the same.
        alone: names of those that have no counterpart, of which the same holds.
        by_results: names of those that are laid out otherwise, or alone, in modules that gave the original's results
            when they were fed the original's own tensors.
    """

    compared: int
    different: tuple[tuple[str, str], ...]
    alone: tuple[str, ...]
    by_results: tuple[str, ...]


def hold_weights(verification: Verification, lookups: frozenset[str]) -> HeldWeights:
    """Hold every saved weight of the port against the original's.

    A weight that is laid out in another way, as fused projections are, cannot be compared value by value: it is right
    where the module around it was judged on the original's own tensors and gave its results.

    Args:
        verification: of both models.
        lookups: ported paths of tables, of which a result shows no more than the rows that were looked up.
    """
    ported = verification.ported.modules
    equal = judged_equal(verification.isolation, verification.ported) - lookups
    aligned = {path for group in verification.comparison.alignment.groups for path in group.ported}
    different = list(_differences(verification))
    alone = list(_without_counterpart(verification, aligned))
    results = [_full(path, name) for path, name, _ in different if path in equal]
    return HeldWeights(
        compared=sum(len(_persistent(ported[path])) for path in aligned),
        different=tuple((path, words) for path, _, words in different if path not in equal),
        alone=tuple(_full(path, name) for path, name in alone if path not in equal),
        by_results=(*results, *(_full(path, name) for path, name in alone if path in equal)),
    )


def _full(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _differences(verification: Verification) -> Iterator[tuple[str, str, str]]:
    """Ported path, tensor and words of what is not as in its counterpart."""
    alignment = verification.comparison.alignment
    originals, ported = verification.original.modules, verification.ported.modules
    for group in alignment.groups:
        if len(group.original) != len(group.ported):
            yield from _strangers(verification, group)
        elif len(group.ported) == 1 and not group.layout:
            path = group.ported[0]
            reordered = path in alignment.reordered
            for words in differing_weights(
                verification.original, originals[group.original[0]], ported[path], any_order=reordered
            ):
                yield path, words.partition(" ")[0], words


def _strangers(verification: Verification, group: Group) -> Iterator[tuple[str, str, str]]:
    """Tensors of fused or split projections whose rows are not those of their counterpart.

    Which part holds which rows is left to the outputs: the order is the port's own.
    """
    held = [p for path in group.original for p in _persistent(verification.original.modules[path])]
    for path in group.ported:
        for parameter in _persistent(verification.ported.modules[path]):
            sketches = [p.sketch for p in held if p.sketch and len(p.shape) == len(parameter.shape)]
            own = parameter.sketch
            shares = [max(shared_rows(each, own), shared_rows(own, each)) for each in sketches] if own else []
            if max(shares, default=0.0) < WHOLE:
                originals = ", ".join(show(each) for each in group.original)
                yield path, parameter.name, f"{parameter.name} does not hold what {originals} hold"


def _without_counterpart(verification: Verification, aligned: set[str]) -> Iterator[tuple[str, str]]:
    """Weights of ported modules that align with nothing, unless the original has one of the same content."""
    held = {
        (parameter.shape, parameter.sketch.crc32)
        for module in verification.original.modules.values()
        for parameter in _persistent(module)
        if parameter.sketch
    }
    for module in verification.ported.modules.values():
        for parameter in () if module.path in aligned else _persistent(module):
            if parameter.sketch is None or (parameter.shape, parameter.sketch.crc32) not in held:
                yield module.path, parameter.name


def _persistent(module: ModuleInfo) -> list[ParameterInfo]:
    return [parameter for parameter in module.parameters if parameter.kind != "non-persistent buffer"]

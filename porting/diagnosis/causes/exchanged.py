"""Sibling modules with each other's weights, where alignment by these weights shows the fault as glue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations
from typing import ClassVar

import torch

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.tensors.roles import places, projection

MOST_PAIRS = 10
"""Exchanges that are tried at one culprit."""


class ExchangedModules(Cause):
    """The culprit's forward is wrong, and it uses modules of one shape whose weights may have changed places."""

    codes: ClassVar = ("swapped", "wrong-layer", "qkv-order")
    rank: ClassVar = 1

    def repairs(self, case: Case) -> Iterator[Repair]:
        """Layers that are aligned crosswise, pairs of children, the culprit and another, three projections in turn."""
        if case.culprit.where == "input":
            return
        yield from (_exchange(case, pair, "wrong-layer") for pair in _crossed(case))
        alike = _alike(case)
        pairs = [pair for paths in alike for pair in combinations(paths, 2)]
        pairs.sort(key=lambda pair: not _is_likely(pair))
        yield from (_exchange(case, pair, "swapped") for pair in pairs[:MOST_PAIRS])
        yield from (_exchange(case, (case.path, other), "swapped") for other in _strangers(case)[:MOST_PAIRS])
        for paths in alike:
            three = [path for path in paths if projection(path)]
            if len(three) == 3:
                yield from (_exchange(case, turn, "qkv-order") for turn in (three, three[::-1]))


def _exchange(case: Case, paths: Sequence[str], code: str) -> Repair:
    modules = [case.model.get_submodule(path) for path in paths]
    follows = dict(zip(paths, (*paths[1:], paths[0]), strict=True))
    named = ", ".join(f"{path} holds the weights that belong in {other}" for other, path in follows.items())
    return Repair(
        code=code,
        summary=named,
        fix=f"exchange the weights of {' and '.join(paths)} in the conversion",
        apply=partial(changes.rotated, modules),
        follows=follows,
        owner=paths[0] if code == "wrong-layer" or not case.path else case.path,
    )


def _crossed(case: Case) -> Iterator[tuple[str, str]]:
    """Modules below the culprit that are aligned with each other's counterparts, by their numbers; outermost ones."""
    below = f"{case.path}." if case.path else ""
    at: dict[tuple[object, ...], str] = {}
    for path, one in case.alignment.original_of.items():
        if path.startswith(below) and path and places(path)[1] != places(one)[1]:
            at[(*places(path), *places(one))] = path
    done: list[str] = []
    for (family, numbers, theirs, others), path in at.items():
        other = at.get((family, others, theirs, numbers))
        if other is not None and not any(each.startswith(f"{above}.") for above in done for each in (path, other)):
            done += [path, other]
            yield path, other


def _alike(case: Case) -> list[list[str]]:
    """The culprit's children with weights, those with tensors of the same shapes together."""
    groups: dict[object, list[str]] = {}
    for name, child in case.module.named_children():
        shapes = _shapes(child)
        if shapes and not isinstance(child, torch.nn.ModuleList):
            groups.setdefault(shapes, []).append(f"{case.path}.{name}" if case.path else name)
    return [paths for paths in groups.values() if len(paths) > 1]


def _strangers(case: Case) -> list[str]:
    """For a culprit without counterpart or parts: the modules elsewhere without either that have the same tensors."""
    if case.path in case.alignment.original_of or any(True for _ in case.module.children()):
        return []
    shapes = _shapes(case.module)
    strangers = (path for path in case.alignment.unmatched_ported if path != case.path)
    return [path for path in strangers if shapes and _shapes(case.model.get_submodule(path)) == shapes]


def _shapes(module: torch.nn.Module) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((key, tuple(tensor.shape)) for key, tensor in module.state_dict().items())


def _is_likely(pair: tuple[str, str]) -> bool:
    """Whether both modules are projections of an attention, or neither is: an output projection is no key."""
    return (projection(pair[0]) is None) == (projection(pair[1]) is None)

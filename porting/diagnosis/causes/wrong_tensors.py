"""Weights and buffers that do not hold what the original's do: exchanged, rearranged, rounded, not loaded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.tensors.elsewhere import explained_by_another, explained_by_tying
from porting.diagnosis.tensors.explained import Explained
from porting.diagnosis.tensors.owned import Owned, live
from porting.diagnosis.tensors.rearranged import explained_by_order
from porting.diagnosis.tensors.rounded import explained_by_rounding
from porting.diagnosis.tensors.sliced import explained_by_slice
from porting.diagnosis.tensors.stacked import explained_by_stack
from porting.diagnosis.tensors.target import Target
from porting.diagnosis.tensors.targets import straight, subjects, targets
from porting.diagnosis.tensors.unloaded import explained_as_start, explained_by_factor, explained_by_rows
from porting.diagnosis.trial import Applied

Explain = Callable[[Case, Owned, Target], Explained | None]
EXPLANATIONS: tuple[Explain, ...] = (
    explained_by_another,
    explained_by_order,
    explained_by_rounding,
    explained_by_factor,
    explained_by_rows,
    explained_as_start,
)
"""The most specific first."""
MOST_NAMED = 3
"""Tensors that a summary names."""


class WrongTensors(Cause):
    """A tensor of the culprit has another content than the original's that it corresponds to."""

    codes: ClassVar = (
        "not-loaded", "wrong-layer", "transposed", "qkv-order", "swapped", "permuted", "missing-bias", "untied",
        "dtype-cast", "buffer-wrong", "weight-norm", "rope-layout", "padding-idx", "gate-order", "extra-scale",
        "norm-formula", "missing-embedding", "rope-theta", "relative-bias",
    )  # fmt: skip
    rank: ClassVar = 1

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The right values in all the wrong tensors of the culprit at once."""
        found = [each for tensor in subjects(case) if (each := explained(case, tensor)) is not None]
        if found:
            yield _repair(case, found)
        if all(each.values is None for each in found):
            yield from _straightened(case)
            for tensor in subjects(case):
                yield from (_repair(case, [each]) for each in explained_by_tying(case, tensor))


def explained(case: Case, tensor: Owned) -> Explained | None:
    """Why a tensor is wrong; None if it is right or nothing is known."""
    for explain in (explained_by_stack, explained_by_slice):
        if (listed := explain(case, tensor)) is not None:
            return listed
    unproven: Explained | None = None
    for target in targets(case, tensor):
        if target.held_by(tensor):
            return None
        found = next((each for explain in EXPLANATIONS if (each := explain(case, tensor, target))), None)
        if found is not None and found.values is not None:
            return replace(found, apart=target.apart)
        unproven = unproven or (found if target.certain else None)
    return unproven


def _straightened(case: Case) -> Iterator[Repair]:
    """For each module whose rows are in another order than the original's, which may be on purpose: that order."""
    modules: dict[str, list[Explained]] = {}
    for tensor in subjects(case):
        for target in straight(case, tensor):
            if (found := explained_by_order(case, tensor, target)) is not None:
                modules.setdefault(tensor.path, []).append(found)
    yield from (replace(_repair(case, found), recognised=False) for found in modules.values())


def _repair(case: Case, found: Sequence[Explained]) -> Repair:
    ordered = sorted(found, key=lambda each: -math.prod(each.tensor.shape))
    first = ordered[0]
    return Repair(
        code=first.code,
        summary="; ".join(each.summary for each in ordered[:MOST_NAMED]) + _more(len(ordered) - MOST_NAMED),
        fix=first.fix,
        apply=changes.together(*_contents(case, found)) if all(each.values is not None for each in found) else None,
        recognised=True,
        follows={each.tensor.path: None for each in found if each.apart},
        owner=found[0].tensor.path,
    )


def _contents(case: Case, found: Sequence[Explained]) -> Iterator[Applied]:
    for each in found:
        assert each.values is not None
        yield partial(changes.content, live(case.model, each.tensor), each.values.detach().clone())


def _more(count: int) -> str:
    return f"; and {count} more" if count > 0 else ""

"""Boundaries: modules that hand out something else than their counterparts, which the code around them makes up for.

A port may scale its embeddings in the embedding module where the original does it in the code behind it. Neither is
wrong, but the two modules do not end at the same place, so they cannot be compared there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from porting.alignment import Alignment
from porting.isolation.isolating import Isolation

MOST_ROUNDS = 4
"""How often the search goes on to the modules around those that were found."""
ELSEWHERE = "ends at another place"
"""The layout of modules that are not compared for this reason."""


class Round(Protocol):
    """One run of `porting.isolation.isolating.isolate`."""

    def __call__(self, alignment: Alignment, *, free: frozenset[str] = frozenset()) -> Isolation:
        """Judge every aligned module, with the outputs of those at ``free`` left as they are."""


def isolate_apart(judged: Round, alignment: Alignment) -> tuple[Alignment, Isolation]:
    """Judge every aligned module; those whose difference the code around them makes up for do not count as aligned.

    A module's output that differs is let through: if all that is made of it is right, and something is, then the
    original does outside what the port does inside, or the other way round.

    Returns:
        The alignment, with a layout at what is not to be compared, and what the run showed under it.
    """
    first = judged(alignment)
    free = differing = _differing_outputs(first)
    found: frozenset[str] = frozenset()
    for _ in range(MOST_ROUNDS):
        if not differing:
            break
        trial = judged(alignment, free=free)
        found = trial.made_up_for
        differing = _differing_outputs(trial) - free
        free |= differing
    if not found:
        return alignment, first
    alignment = _not_compared(alignment, found)
    return alignment, judged(alignment)


def _differing_outputs(isolation: Isolation) -> frozenset[str]:
    """The modules whose outputs differ; not the model, whose output nothing can make up for."""
    return frozenset(
        o.ported.path
        for o in isolation.observations
        if o.where == "output" and o.above_noise and o.numbers.comparable and o.ported.parent is not None
    )


def _not_compared(alignment: Alignment, paths: frozenset[str]) -> Alignment:
    groups = tuple(
        replace(group, layout=ELSEWHERE, compared=False) if paths.intersection(group.ported) else group
        for group in alignment.groups
    )
    return replace(alignment, groups=groups)

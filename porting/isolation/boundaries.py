"""Boundaries: modules that hand out something else than their counterparts, which the code around them makes up for.

A port may scale its embeddings in the embedding module where the original does it in the code behind it. Neither is
wrong, but the two modules do not end at the same place, so they cannot be compared there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Protocol

from porting.alignment import Alignment
from porting.isolation.isolating import Isolation
from porting.isolation.observing import Observation
from porting.reruns.feeding import Place

MOST_ROUNDS = 4
"""How often the search goes on to the modules around those that were found."""
MOST_SINGLY = 8
"""Doubted containers that are given up one by one."""
SURE = 0.9
"""Confidence from which a pair of containers is not put to the test."""
HIDDEN = 1e-3
"""Difference of an argument that is looked into though it is no more than rounding at that size."""
ELSEWHERE = "ends at another place"
"""The layout of modules that are not compared for this reason."""


class Round(Protocol):
    """One run of `porting.isolation.isolating.isolate`."""

    def __call__(
        self,
        alignment: Alignment,
        *,
        free: frozenset[str] = frozenset(),
        loose: frozenset[tuple[str, str]] = frozenset(),
        known: Isolation | None = None,
    ) -> Isolation:
        """Judge every aligned module, with outputs of those at ``free`` and ``loose`` arguments left as they are."""


def isolate_apart(judged: Round, alignment: Alignment) -> tuple[Alignment, Isolation]:
    """Judge every aligned module; those whose difference the code around them makes up for do not count as aligned.

    Containers that were paired on weak evidence and differ at their borders are first judged without being paired: if
    nothing goes wrong elsewhere instead, they were no pair. (What lies in them is judged in any case.)

    A module's output that differs is let through: if all that is made of it is right, and something is, then the
    original does outside what the port does inside, or the other way round. The same holds of arguments: a mask may
    come with a bias on one side and by itself on the other.

    Returns:
        The alignment, with a layout at what is not to be compared, and what the run showed under it.
    """
    alignment, first = _without_misaligned(judged, alignment, judged(alignment))
    alignment, first = _without_other_arguments(judged, alignment, first)
    free = differing = _differing_outputs(first)
    found: frozenset[str] = frozenset()
    for _ in range(MOST_ROUNDS):
        if not differing:
            break
        trial = judged(alignment, free=free, known=first)
        found = trial.made_up_for
        differing = _differing_outputs(trial) - free
        free |= differing
    if not found:
        return alignment, first
    alignment = _not_compared(alignment, found)
    return alignment, judged(alignment)


def _without_misaligned(judged: Round, alignment: Alignment, first: Isolation) -> tuple[Alignment, Isolation]:
    """The alignment without the containers that are no pair, and what the run shows then.

    All that are in doubt are given up at once, and if something new goes wrong then, one after the other.
    """
    doubted = _doubted(alignment, first)
    together = [frozenset(doubted)] if doubted else []
    singly = [frozenset([path]) for path in doubted[:MOST_SINGLY]] if len(doubted) > 1 else []
    for paths in (*together, *singly):
        if paths <= alignment.original_of.keys():
            without = _unpaired(alignment, paths)
            trial = judged(without)
            if _places(trial) <= _places(first):
                alignment, first = without, trial
    return alignment, first


def _places(isolation: Isolation) -> set[Place]:
    """Where something goes wrong."""
    return {(o.ported.key, o.where, o.leaf) for o in isolation.observations if o.above_noise}


def _without_other_arguments(judged: Round, alignment: Alignment, first: Isolation) -> tuple[Alignment, Isolation]:
    """The alignment without the arguments that are something else than the original's, and make up for it.

    First those whose size hides that they differ, as that of a mask does that also holds a bias on the other side.
    """
    for which in (_hidden, _above_noise):
        differing = {(o.ported.path, o.leaf) for o in _arguments(first) if which(o)}
        if not differing or not any(o.above_noise for o in first.observations):
            continue
        loose, found = _let_through(judged, alignment, _in_every_layer(first, differing))
        missing = {_role(*argument) for argument in loose - found}
        if apart := frozenset(argument for argument in loose if _role(*argument) not in missing):
            alignment = alignment.put_apart(apart)
            first = judged(alignment)
    return alignment, first


def _let_through(
    judged: Round, alignment: Alignment, loose: frozenset[tuple[str, str]]
) -> tuple[frozenset[tuple[str, str]], frozenset[tuple[str, str]]]:
    """The arguments that are let through, with those that they are handed on to; and which of them are made up for."""
    found: frozenset[tuple[str, str]] = frozenset()
    for _ in range(MOST_ROUNDS):
        trial = judged(alignment, loose=loose)
        found = trial.arguments_made_up_for
        differing = {(o.ported.path, o.leaf) for o in _arguments(trial) if o.above_noise}
        more = _in_every_layer(trial, differing) - loose
        if not more:
            break
        loose |= more
    return loose, found


def _arguments(isolation: Isolation) -> Iterator[Observation]:
    return (
        o
        for o in isolation.observations
        if o.where == "input" and o.numbers.comparable and o.ported.parent is not None
    )


def _above_noise(observation: Observation) -> bool:
    return observation.above_noise


def _hidden(observation: Observation) -> bool:
    return not observation.above_noise and observation.numbers.max_abs > HIDDEN


def _in_every_layer(isolation: Isolation, arguments: Collection[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """The same arguments of all layers: one tensor may be given to all, and is corrected when the first gets it."""
    roles = {_role(*argument) for argument in arguments}
    places = ((o.ported.path, o.leaf) for o in _arguments(isolation))
    return frozenset(place for place in places if _role(*place) in roles)


def _role(path: str, name: str) -> tuple[str, str]:
    """An argument, whichever the layer."""
    return re.sub(r"\d+", "*", path), name


def _doubted(alignment: Alignment, isolation: Isolation) -> list[str]:
    """The containers, paired on weak evidence, at whose borders something differs."""
    unsure = {group.ported[0] for group in alignment.groups if group.confidence < SURE and group.ported[0]}
    differing = (o.ported.path for o in isolation.observations if o.above_noise and o.ported.path in unsure)
    return [path for path in dict.fromkeys(differing) if _holds_others(alignment, path)]


def _holds_others(alignment: Alignment, path: str) -> bool:
    return any(other.startswith(f"{path}.") for other in alignment.original_of)


def _unpaired(alignment: Alignment, paths: frozenset[str]) -> Alignment:
    taken = [group for group in alignment.groups if paths.intersection(group.ported)]
    return replace(
        alignment,
        groups=tuple(group for group in alignment.groups if group not in taken),
        unmatched_original=(*alignment.unmatched_original, *(path for group in taken for path in group.original)),
        unmatched_ported=(*alignment.unmatched_ported, *(path for group in taken for path in group.ported)),
    )


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

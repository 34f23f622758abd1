"""A checkpoint is an unmodified model if one can be built that has exactly its tensors: build it, and see."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from porting.nearest.building import alone, classes_of
from porting.nearest.cells import Cell, Shape, are_told_apart, cells_of
from porting.nearest.configuring import Settings, starts_of
from porting.nearest.exact import MOST_CELLS
from porting.nearest.limits import Limits
from porting.nearest.result import FAR, UNMODIFIED, Candidate, Proof, lines_of
from porting.nearest.settling import Settled, Settling

SECONDS = 3.0
"""Of a processor's time that one candidate may take."""
FIRST = 2
"""Candidates that are built, until one is exactly the checkpoint."""
OTHERS = 2
"""Further classes for which settings are searched."""
MOST_CLASSES = 8
"""Classes of a model type that are tried."""
TIMES, MORE = 8, 20_000
"""How many modules and tensors a model may have beside a checkpoint's tensors: so many for each, and more."""


def prove(candidates: Sequence[Candidate], shapes: Mapping[str, Shape]) -> tuple[Candidate, ...]:
    """The same candidates, the first of them with what a model shows that is built from what shapes say.

    Models are built without memory for their weights; only code of the installed Transformers runs, in a limited
    time. One that has exactly the checkpoint's tensors goes before those that shapes could not tell from it.

    Args:
        candidates: the nearest first (`nearest_architectures`).
        shapes: of the checkpoint's tensors, by name.
    """
    cells = cells_of(shapes)
    found = list(candidates)
    if len(cells) > MOST_CELLS or any(cell.more for cell in cells) or not are_told_apart(shapes):
        return tuple(found)
    for at, each in enumerate(found[:FIRST]):
        proof = None if each.verdict == FAR else _proof(each, cells, len(shapes))
        if proof is not None:
            found[at] = replace(each, proof=proof, verdict=UNMODIFIED if proof.exact else each.verdict)
        if proof is not None and proof.exact:
            break
    return tuple(sorted(found, key=lambda each: not (each.proof is not None and each.proof.exact)))


def _proof(candidate: Candidate, cells: Sequence[Cell], tensors: int) -> Proof | None:
    """What is shown by the class of a candidate, or of its model type, that is nearest; None if none can be built."""
    with alone():
        try:
            config_class = _config_class(candidate.model_type)
            classes = {each.__name__: each for each in classes_of(config_class)}
            starts = starts_of(config_class, candidate.config)
        except Exception:  # a model of a checkout that somebody works on raises anything
            return None
        search = Settling(cells, config_class, Limits(time.thread_time() + SECONDS, TIMES * tensors + MORE))
        best = _best(search, classes, candidate.class_name, starts)
        if best is None:
            return None
        best = _settled(search, classes, best)
        best = search.told(classes[best.built.class_name], best)
        return _told(best, search.loose(classes[best.built.class_name], best))


def _config_class(model_type: str) -> type[Any]:
    """The config of a model type of Transformers itself.

    Raises:
        LookupError: there is none.
    """
    from transformers import CONFIG_MAPPING

    found: type[Any] = CONFIG_MAPPING[model_type]
    if not found.__module__.startswith("transformers.models."):
        raise LookupError
    return found


def _best(
    search: Settling, classes: Mapping[str, type[Any]], first: str, starts: Sequence[Settings]
) -> Settled | None:
    """The nearest of the classes with the settings with which ``first`` is nearest, or else any can be built."""
    ordered = sorted(classes, key=lambda name: (name != first, not name.endswith("Model")))[:MOST_CLASSES]
    tried = {at: each for at, given in enumerate(starts) if (each := search.tried(classes[ordered[0]], given))}
    best = [starts[at] for at in sorted(tried, key=lambda at: _wrong(tried[at]))[:1]]
    for settings in best or starts:
        found = [each for name in ordered if (each := search.tried(classes[name], settings)) is not None]
        if found:
            return min(found, key=_homeless)
    return None


def _settled(search: Settling, classes: Mapping[str, type[Any]], best: Settled) -> Settled:
    """The nearest with other settings; where it is not exact, of the other classes, too, that hold all tensors."""
    best = search.settled(classes[best.built.class_name], best)
    if best.rest.wrong:
        others = [each for name in classes if (each := search.tried(classes[name], best.settings)) is not None]
        for other in sorted(others, key=_homeless)[:OTHERS]:
            best = min(best, search.settled(classes[other.built.class_name], other), key=_wrong)
    return best


def _homeless(each: Settled) -> tuple[int, float]:
    """How many of the checkpoint's tensors have no place; a class may have more of its own, with other settings."""
    return each.rest.left, each.rest.wrong


def _wrong(each: Settled) -> float:
    return each.rest.wrong


def _told(found: Settled, loose: tuple[str, ...]) -> Proof:
    return Proof(
        class_name=found.built.class_name,
        settings=dict(found.settings),
        loose=loose,
        tensors=sum(cell.total for cell in found.cells),
        left=found.rest.left,
        empty=found.rest.empty,
        of_left=lines_of(found.rest.of_left),
        of_empty=lines_of(found.rest.of_empty),
    )

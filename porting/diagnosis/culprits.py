"""Culprits: the modules whose own fault a reference-fed run shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from porting.alignment import Alignment
from porting.comparison.metrics import finite
from porting.diagnosis.differences import module_differences
from porting.diagnosis.source import Source
from porting.isolation.isolating import Isolation
from porting.isolation.observing import Observation
from porting.trace import Trace

if TYPE_CHECKING:
    from porting.diagnosis.cause import Finding


@dataclass(frozen=True, slots=True)
class Culprit:
    """A ported module with a fault of its own.

    Attributes:
        ported: its path, ``""`` for the model itself.
        original: path of its counterpart, None if it has none.
        where: ``weights``, ``output``, ``glue`` (its forward between its children) or ``input`` (an argument of the
            model itself).
        observation: the first place at which the fault shows.
        differences: what can be seen to differ, in words.
        causes: what explains it, proven ones first; empty if nothing does.
        source: where its forward is written, if that is known.
    """

    ported: str
    original: str | None
    where: str
    observation: Observation
    differences: tuple[str, ...]
    causes: tuple[Finding, ...] = ()
    source: Source | None = None

    @property
    def proven(self) -> Finding | None:
        """The first proven cause, None if there is none."""
        return next((cause for cause in self.causes if cause.verified), None)

    @property
    def noise_ratio(self) -> float | None:
        """The isolated error in multiples of the noise floor; None where the floor is zero."""
        return self.observation.floor.ratio(self.observation.numbers)

    def to_dict(self) -> dict[str, Any]:
        """The culprit as JSON."""
        return {
            "ported": self.ported,
            "original": self.original,
            "where": self.where,
            "isolated_max_abs": finite(self.observation.numbers.max_abs),
            "noise_ratio": finite(self.noise_ratio),
            "seen_at": {
                "ported": self.observation.ported.label,
                "where": self.observation.where,
                "leaf": self.observation.leaf,
            },
            "differences": list(self.differences),
            "source": None if self.source is None else {"file": self.source.file, "line": self.source.line},
            "causes": [cause.to_dict() for cause in self.causes],
        }


def find_culprits(isolation: Isolation, original: Trace, ported: Trace, alignment: Alignment) -> tuple[Culprit, ...]:
    """The culprits of a reference-fed run, most upstream first, each path once."""
    found: dict[str, Culprit] = {}
    for observation in isolation.observations:
        path = observation.ported.path if observation.blamed is None else observation.blamed
        if not observation.above_noise or path in found:
            continue
        differences = module_differences(original, ported, alignment, path)
        where = _where(observation, path, ported, alignment, weights=differences.weights != ())
        texts = (*differences.texts(), _seen(observation, path))
        found[path] = Culprit(path, alignment.original_of.get(path), where, observation, texts)
    return tuple(found.values())


def _where(observation: Observation, path: str, ported: Trace, alignment: Alignment, *, weights: bool) -> str:
    if observation.blamed is None:
        return "input"
    if weights:
        return "weights"
    below = f"{path}." if path else ""
    holds_aligned = any(
        call.path != path and call.path.startswith(below) and call.path in alignment.original_of
        for call in ported.calls
    )
    return "glue" if holds_aligned else "output"


def _seen(observation: Observation, path: str) -> str:
    numbers = observation.numbers.describe()
    leaf = f"argument {observation.leaf!r}" if observation.leaf else "input"
    if observation.where == "input":
        consumer = observation.ported.label or "the model"
        return f"on the original's own tensors, the {leaf} that reaches {consumer} is off: {numbers}"
    if observation.ported.path != path:
        return f"on the original's own inputs, {observation.ported.label or 'the model'} is off: {numbers}"
    return f"on the original's own inputs, its output is off: {numbers}"

"""Which stage of a port's processor differs from the original's: the change after which they agree on every sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from porting.processors.changes import BESIDE, Change, Reference, both
from porting.processors.imagechanges import image_changes
from porting.processors.pairing import agree, difference
from porting.processors.running import Processor
from porting.processors.solving import as_normalisation, as_scale, borders, floors, line
from porting.processors.soundchanges import sound_changes
from porting.tolerance import Tolerance

EXACTLY = 100 * float(np.finfo(np.float32).eps)
"""What is left of a difference, relative to the largest value, when nothing but rounding is."""


GLANCED = 4096
"""Elements of a channel that are looked at first."""


ANEW = Change(
    "unsaved attribute",
    "built anew from its own settings the port agrees: an attribute was set afterwards",
    lambda processor: processor.changed(),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A stage that differs, proven: with the change the port's arrays are the original's.

    Attributes:
        stage: of preprocessing.
        text: what the original does there.
        max_abs_after: what is left with the change.
        convention: whether Transformers itself does it as the port.
    """

    stage: str
    text: str
    max_abs_after: float
    convention: bool = False

    @property
    def alone(self) -> bool:
        """Whether one stage explains everything."""
        return BESIDE not in self.stage


def find_stage(
    processor: Processor, wrong: Sequence[Reference], right: Sequence[Reference], tolerance: Tolerance
) -> Finding | None:
    """The first change after which only rounding is left, else the one that leaves least among those that make all
    samples agree; None without one.

    Changes of settings are tried alone, and then with a scale and an offset of each channel, so that a second mistake
    in rescaling or normalising does not hide the first.

    Args:
        processor: the port's.
        wrong: what the original makes of samples that differ.
        right: of samples that agree, and have to go on agreeing.
        tolerance: within which arrays agree.
    """
    for relation in _relations(processor, wrong, tolerance):
        if not _contradicted(processor, right, relation):
            return relation
    bank = image_changes if processor.kind == "image" else sound_changes
    small = sorted(wrong, key=lambda reference: np.size(reference.value))
    exact = EXACTLY * max(float(np.abs(reference.array).max(initial=0.0)) for reference in wrong)
    found: list[Finding] = []
    kept = _as_rebuilt(processor, small)
    for change in bank(processor, small):
        if change.rebuilds and not kept:
            continue
        found += _tried(processor, change, small, right, tolerance)
        if found and found[-1].alone and found[-1].max_abs_after <= exact:
            return found[-1]
    if not found and not kept:
        found += _tried(processor, ANEW, small, right, tolerance)
    if not found:
        conventions = [change for change in bank(processor, small) if change.convention]
        pairs = [both(one, two) for one, two in combinations(conventions, 2)]
        found += [finding for pair in pairs for finding in _tried(processor, pair, small, right, tolerance)]
    simple = [finding for finding in found if finding.alone]
    return min(simple or found, key=lambda finding: finding.max_abs_after, default=None)


def _as_rebuilt(processor: Processor, wrong: Sequence[Reference]) -> bool:
    """Whether the processor that is built anew from its settings gives the same arrays, so that settings tell."""
    try:
        live, again = _arrays(processor, wrong[:1]), _arrays(processor.changed(), wrong[:1])
    except Exception:  # the class cannot be built from what it saves
        return False
    return live is not None and again is not None and difference(live[0], again[0]) == 0


def _contradicted(processor: Processor, right: Sequence[Reference], relation: Finding) -> bool:
    """Whether samples that agree as they are contradict a relation that changes every value."""
    return bool(right) and relation.stage in ("rescale", "normalise") and processor.kind == "image"


def _relations(processor: Processor, wrong: Sequence[Reference], tolerance: Tolerance) -> Iterator[Finding]:
    """What the arrays say by themselves."""
    arrays = _arrays(processor, wrong)
    if arrays is None:
        return
    originals = [reference.array for reference in wrong]
    if solved := _solved(processor, originals, arrays, tolerance):
        yield solved
    others = (floors, borders) if processor.kind == "audio" else (borders,)
    for relation in others:
        for stage, text in relation(originals, arrays, tolerance):
            yield Finding(stage, text, 0.0)


def _solved(
    processor: Processor, originals: Sequence[np.ndarray], porteds: Sequence[np.ndarray], tolerance: Tolerance
) -> Finding | None:
    """A scale and an offset: of each channel of images; of all features of sounds, and of each sample's."""
    if processor.kind == "image":
        found = line(originals, porteds, tolerance)
        return (
            Finding(*as_normalisation(found, processor.settings), _left(originals, porteds, found)) if found else None
        )
    wanted, given = ([each.reshape(1, -1) for each in arrays] for arrays in (originals, porteds))
    if any(one.shape != two.shape for one, two in zip(wanted, given, strict=True)):
        return None
    if found := line(wanted, given, tolerance):
        return Finding(*as_scale(found), _left(wanted, given, found))
    each = [line([one], [two], tolerance) for one, two in zip(wanted, given, strict=True)]
    if all(each):
        return Finding("normalise", "every sample is scaled and shifted by numbers of its own, or is not", 0.0)
    return None


def _tried(
    processor: Processor,
    change: Change,
    wrong: Sequence[Reference],
    right: Sequence[Reference],
    tolerance: Tolerance,
) -> Iterator[Finding]:
    try:
        changed = change.apply(processor)
    except Exception:  # the class does not take this change
        return
    first = _arrays(changed, wrong[:1])
    if first is None or first[0].shape != wrong[0].array.shape:
        return
    glance, against = (
        each.reshape(len(each), -1)[:, :: max(each[0].size // GLANCED, 1)] for each in (first[0], wrong[0].array)
    )
    if not agree(against, glance, tolerance) and line([against], [glance], tolerance) is None:
        return
    references = [*wrong, *right]
    arrays = _arrays(changed, references)
    if arrays is None:
        return
    originals = [reference.array for reference in references]
    if all(agree(one, two, tolerance) for one, two in zip(originals, arrays, strict=True)):
        left = max(difference(one, two) for one, two in zip(originals, arrays, strict=True))
        yield Finding(change.stage, change.text, left, change.convention)
    elif processor.kind == "image" and (found := line(originals, arrays, tolerance)):
        stage, text = as_normalisation(found, changed.settings)
        yield Finding(f"{change.stage}{BESIDE}{stage}", f"{change.text}; {text}", _left(originals, arrays, found))


def _arrays(processor: Processor, references: Sequence[Reference]) -> list[np.ndarray] | None:
    """The port's arrays of some samples; None if it raises for one, or lacks one."""
    try:
        return [processor.alone(reference.value)[reference.name] for reference in references]
    except Exception:
        return None


def _left(
    originals: Sequence[np.ndarray], porteds: Sequence[np.ndarray], found: tuple[np.ndarray, np.ndarray]
) -> float:
    """What is left of the difference with a scale and an offset."""
    columns = [each.reshape((-1,) + (1,) * (originals[0].ndim - 1)) for each in found]
    return max(difference(one, columns[0] * two + columns[1]) for one, two in zip(originals, porteds, strict=True))

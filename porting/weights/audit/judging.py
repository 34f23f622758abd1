"""Compare every tensor of a live model with what the rules make of the checkpoint: one pass, a step at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from porting.weights.audit.arithmetic import arithmetic, close, constant, narrow, rounded
from porting.weights.audit.comparing import difference, equal
from porting.weights.audit.elsewhere import Candidate, Sought
from porting.weights.audit.rearranged import rearrangement
from porting.weights.audit.relation import Place, Relation
from porting.weights.audit.signatures import differing, telling, total
from porting.weights.matching import Matching
from porting.weights.rules.arithmetic import FoldWeightNorm
from porting.weights.rules.steps import Read, Step
from porting.weights.source import Source


@dataclass
class Wrong:
    """A tensor that is not what it should be.

    Attributes:
        place: which it is.
        tensor: what the model holds.
        wanted: what it should hold.
        note: how far apart they are.
        relation: how all of it comes from what it should be, if it does; the note is empty then.
        sought: what to look for elsewhere, where it is not.
    """

    place: Place
    tensor: torch.Tensor
    wanted: Candidate
    note: str
    relation: Relation | None = None
    sought: Sought | None = None


@dataclass
class Judged:
    """The outcome.

    Attributes:
        wrong: what is not right.
        computed: names that are right within the rounding of the rules' arithmetic.
    """

    wrong: list[Wrong]
    computed: list[str]


def judge(tensors: Mapping[str, torch.Tensor], found: Matching, read: Read) -> Judged:
    """Read what each tensor should hold, once, and compare; what has no data is left out."""
    judged = Judged([], [])
    partners: dict[str, list[str]] = {}
    for name, partner in found.tied.items():
        partners.setdefault(partner, []).append(name)
    for step in found.steps:
        for target, given in step.run(read).items():
            wanted = Candidate(target, target, step)
            for name in (target, *partners.get(target, ())):
                held = tensors.get(name)
                if held is not None and not held.is_meta and found.made.get(target) is step:
                    _compare(judged, _place(name, held, step), held, wanted, given, exact=step.is_exact)
    return judged


def candidates(found: Matching, source: Source) -> Iterator[Candidate]:
    """All that a tensor may hold: what the steps give, and what the checkpoint has and no step merely renames."""
    renamed = set()
    for step in found.steps:
        yield from (Candidate(target, target, step) for target in step.targets)
        renamed |= set(step.sources) if step.is_rename else set()
    for name, spec in source.specs.items():
        if name not in renamed:
            yield Candidate("", name, Step((name,), (name,), (spec,)))


def _compare(
    judged: Judged, place: Place, held: torch.Tensor, wanted: Candidate, given: torch.Tensor, *, exact: bool
) -> None:
    if equal(held, given):
        return
    if held.shape != given.shape or given.is_meta or held.is_complex() != given.is_complex():
        judged.wrong.append(Wrong(place, held, wanted, difference(held, given), Relation("unknown", "")))
        return
    held, given = held.detach().cpu(), given.detach().to(held.dtype).cpu()
    if not exact and close(held, given):
        judged.computed.append(place.name)
        return
    relation = None if constant(held) else _own(place, held, given)
    note = "" if relation else difference(held, given)
    sought = None
    if relation is None and not constant(held):
        sought = Sought(place, held, differing(held, given, 0) if held.dim() else torch.zeros(0, dtype=torch.int64))
    judged.wrong.append(Wrong(place, held, wanted, note, relation, sought))


def _own(place: Place, held: torch.Tensor, given: torch.Tensor) -> Relation | None:
    """How a tensor comes from what it should hold, if all of it does."""
    if not held.is_complex() and (found := arithmetic(held, given)):
        return found
    if not telling(held):
        return None
    signature = total(held)
    for cast in ("", *narrow(held)):
        turned = rounded(given, cast) if cast else given
        if total(turned) == signature and (found := rearrangement(place, held, turned)):
            return Relation(found.cause, f"{found.words}, and rounded to {cast}") if cast else found
    return None


def _place(name: str, held: torch.Tensor, step: Step) -> Place:
    kind = "parameter" if isinstance(held, torch.nn.Parameter) else "buffer"
    folded = any(isinstance(operation, FoldWeightNorm) for operation in step.operations)
    return Place(name, step.sources, kind, folded)

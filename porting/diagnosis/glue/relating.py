"""Causes that rest on relations: what a wrong tensor lacks of the right one, undone where it leaves or arrives."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, product

import torch

from porting.comparison.relations import Relation, explain
from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.glue.roles import is_embedding
from porting.diagnosis.scene import Gap
from porting.diagnosis.trial import Applied
from porting.noise.floor import FACTOR
from porting.text import show

MOST_WAYS = 3
"""Relations of one place that are tried."""
MOST_TOGETHER = 4
"""Combinations of them that are tried, where several places go wrong."""
THERE = 0.6
"""Share from which a term is in a tensor."""
SAME = 1e-3
"""Distance from the tensor that was seen, relative to its largest value, within which another is the same one."""


@dataclass(frozen=True, slots=True)
class Related:
    """A relation that holds at one place in every call that goes wrong there.

    Attributes:
        gap: the first of these calls.
        relation: as it was found there.
        all: every call's gap with its relation; what is known differs from call to call, and the relation's values do.
        fresh: whether the wrong tensor was computed by the culprit, and is none that arrived or that a child made.
    """

    gap: Gap
    relation: Relation
    all: tuple[tuple[Gap, Relation], ...]
    fresh: bool

    @property
    def kind(self) -> str:
        """The relation's kind."""
        return self.relation.kind

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the known tensors that it speaks of."""
        return self.relation.terms

    def where(self) -> str:
        """The place in words."""
        return place_of(self.gap)

    def applied(self, model: torch.nn.Module, *, in_place: bool) -> Applied:
        """The relation undone in the live port, at the place where it shows.

        A tensor that the culprit hands to a child stays with the culprit, too, which may go on with it: ``in_place``
        repairs it there as well, as a change of the code before the call would.
        """
        module, repair = model.get_submodule(self.gap.path), partial(_repaired, self.all)
        if self.gap.where == "output":
            return partial(changes.output, module, repair, self.gap.leaf)
        return partial(changes.argument, module, partial(_in_place, repair) if in_place else repair, self.gap.leaf)


def place_of(gap: Gap) -> str:
    """A gap's place in words."""
    module = show(gap.path) or "the model"
    named = f" as {show(gap.leaf)}" if gap.leaf else ""
    return f"what reaches {module}{named}" if gap.where == "input" else f"what {module} returns{named}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a relation means at a culprit.

    Attributes:
        code: of the cause.
        summary: what is wrong, a clause that follows on the place.
        fix: what to change.
        for_child_only: whether only what the child gets is wrong, and the culprit may go on with what it has.
    """

    code: str
    summary: str
    fix: str
    for_child_only: bool = False


class RelationCause(Cause):
    """A cause that shows as a relation between the wrong tensor and the right one."""

    @abstractmethod
    def reading(self, case: Case, found: Related) -> Reading | None:
        """What a relation means; None if it is none of this cause's business."""

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The relations of all places undone together, and of each place by itself."""
        places = [ways for place in related(case) if (ways := list(self._read(case, place)))]
        if not places:
            return
        if len(places) > 1:
            for together in islice(product(*places), MOST_TOGETHER):
                yield from _repairs(case, together)
        for ways in places:
            for way in ways:
                yield from _repairs(case, [way])

    def _read(self, case: Case, ways: Sequence[Related]) -> Iterator[tuple[Related, Reading]]:
        readings = ((found, self.reading(case, found)) for found in ways)
        yield from islice(((found, reading) for found, reading in readings if reading), MOST_WAYS)


def related(case: Case) -> list[list[Related]]:
    """For each place that goes wrong, the relations that hold in all its calls and can be undone, simplest first."""
    places: dict[tuple[str, str, str], list[Gap]] = {}
    for gap in case.gaps:
        places.setdefault((gap.path, gap.where, gap.leaf), []).append(gap)
    return [list(_in_all(case, gaps)) for gaps in places.values()]


def at_hand(case: Case, gap: Gap) -> Mapping[str, torch.Tensor]:
    """What a relation may speak of: what the culprit knew, and what only the original has.

    A tensor that only the original has and that is the right one itself explains nothing, and is left out.
    """
    theirs = {**case.only_original(gap), **dict(_only_original_parameters(case))}
    theirs = {name: tensor for name, tensor in theirs.items() if not same(tensor, gap.right)}
    return _each_once({**case.known(gap), **dict(_unused_tables(case)), **theirs})


def _each_once(known: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Equal tensors under the most telling of their names: what arrived, what a child made, what a child was given."""
    found: dict[str, torch.Tensor] = {}
    for name in sorted(known, key=_telling):
        tensor = known[name]
        if not any(tensor.shape == other.shape and torch.equal(tensor, other) for other in found.values()):
            found[name] = tensor
    return found


def _telling(name: str) -> int:
    return next((i for i, start in enumerate(("argument", "output of", "input of")) if name.startswith(start)), 3)


def same(tensor: torch.Tensor, right: torch.Tensor) -> bool:
    """Whether two tensors are equal but for rounding."""
    return tensor.shape == right.shape and torch.allclose(tensor.double(), right.double(), SAME, SAME)


def _unused_tables(case: Case) -> Iterator[tuple[str, torch.Tensor]]:
    """Tables of embeddings below the culprit that is never called."""
    called = {call.path for call in case.ported.calls}
    for name, module in case.module.named_modules():
        path = f"{case.path}.{name}" if case.path else name
        if name and path not in called and is_embedding(name, module):
            for own, table in module.named_parameters(recurse=False):
                yield f"parameter {name}.{own}", table.detach()


def share_of(term: torch.Tensor, tensor: torch.Tensor) -> float:
    """How many times a term is in a tensor of its shape, about: by projection."""
    flat = term.double().reshape(-1)
    return float(flat @ tensor.double().reshape(-1) / (flat @ flat))


def _only_original_parameters(case: Case) -> Iterator[tuple[str, torch.Tensor]]:
    """Own tensors of the counterpart for which the culprit has none of that name."""
    if case.counterpart is None:
        return
    own = {parameter.name for parameter in case.info.parameters}
    for parameter in case.counterpart.parameters:
        values = None if parameter.name in own else case.weights(case.counterpart.path, parameter.name)
        if values is not None:
            yield f"original parameter {parameter.name}", values


def _in_all(case: Case, gaps: Sequence[Gap]) -> Iterator[Related]:
    """The relations of the first call that the others share."""
    found = [_explained(case, gap) for gap in gaps]
    fresh = not any(same(tensor, gaps[0].wrong) for tensor in case.known(gaps[0]).values())
    for relation in found[0]:
        alike = [
            next((r for r in each if (r.kind, r.terms) == (relation.kind, relation.terms)), None) for each in found
        ]
        pairs = tuple((gap, r) for gap, r in zip(gaps, alike, strict=True) if r is not None)
        if len(pairs) == len(gaps):
            yield Related(gaps[0], relation, pairs, fresh)


def _explained(case: Case, gap: Gap) -> list[Relation]:
    relations = case.relations.get(gap.place)
    if relations is None:
        floor = FACTOR * gap.floor.max_abs or None
        relations = explain(gap.wrong, gap.right, at_hand(case, gap), valid=gap.valid, floor=floor)
        case.relations[gap.place] = relations
    return relations


def _repaired(known: Sequence[tuple[Gap, Relation]], tensor: torch.Tensor) -> torch.Tensor:
    """A tensor of one of several calls, with what was found at that call undone; another as it is."""
    fitting = [(gap, relation) for gap, relation in known if gap.wrong.shape == tensor.shape]
    if len(known) == 1 and fitting:
        return fitting[0][1].repair(tensor)
    for gap, relation in fitting:
        seen = gap.wrong.to(tensor.device)
        if bool((seen == tensor).all()) or _near(seen, tensor):
            return relation.repair(tensor)
    return tensor


def _in_place(repair: changes.Tensors, tensor: torch.Tensor) -> torch.Tensor:
    value = repair(tensor)
    if 0 in tensor.stride() or value.shape != tensor.shape:
        return value
    with torch.no_grad():
        return tensor.copy_(value)


def _near(seen: torch.Tensor, tensor: torch.Tensor) -> bool:
    if not tensor.is_floating_point() or not tensor.numel():
        return False
    return float((seen - tensor).abs().max()) <= SAME * float(seen.abs().max())


def _repairs(case: Case, ways: Sequence[tuple[Related, Reading]]) -> Iterator[Repair]:
    """The relations undone for the culprit and its child, or for the child alone, the likelier first."""
    first, reading = ways[0]
    likelier = [found.fresh and not read.for_child_only for found, read in ways]
    unlikelier = [not each and not read.for_child_only for each, (_, read) in zip(likelier, ways, strict=True)]
    orders = [likelier] if all(found.gap.where == "output" for found, _ in ways) else [likelier, unlikelier]
    for flags in orders if orders[0] != orders[-1] else orders[:1]:
        applied = (found.applied(case.model, in_place=flag) for (found, _), flag in zip(ways, flags, strict=True))
        yield Repair(
            code=reading.code,
            summary=f"in {first.where()}, {reading.summary}",
            fix=reading.fix,
            apply=changes.together(*applied),
        )

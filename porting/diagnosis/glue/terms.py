"""Terms: a child without a counterpart that made a wrong summand, in a sum that is otherwise right.

Where the original adds a bare table and the port a module's result, the sum is compared and not the module. What is
wrong with the sum says whose fault it is: if it is the same for every sequence, as only what that module made is, and
a run with just the module's result put right closes every gap, then the module is at fault and not the sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

import torch
from torch.nn import functional

from porting.diagnosis import changes
from porting.diagnosis.cause import Case
from porting.diagnosis.scene import Gap, Moment
from porting.diagnosis.trial import Stage
from porting.noise.floor import FACTOR

SAME = 1e-3
"""Spread of a tensor along an axis, relative to its largest element, up to which it is constant there."""
READ_ELSEWHERE = "position-offset"
"""The code of a proven cause that speaks of a table's rows, and so of what the child made."""
REARRANGED = "layout"
"""The code of one that may speak of one term, whose entries come in another order."""


@dataclass(frozen=True, slots=True)
class Term:
    """What a child made in one call, and what is missing there."""

    path: str
    leaf: str
    made: torch.Tensor
    missing: torch.Tensor


def child_at_fault(case: Case, stage: Stage) -> str | None:
    """The path of the one child whose result alone, put right, closes every gap; None if there is no such child."""
    proven = next((cause.code for cause in case.culprit.causes if cause.verified), None)
    if case.culprit.where != "glue" or proven not in (None, READ_ELSEWHERE, REARRANGED):
        return None
    gaps = list({case.moment(gap).key: gap for gap in reversed(case.gaps)}.values())
    rows = [list(_terms(case, gap, certain=proven == READ_ELSEWHERE)) for gap in gaps]
    paths = {tuple(term.path for term in row) for row in rows}
    if len(paths) != 1 or len(rows[0]) != 1:
        return None
    terms = [row[0] for row in rows]
    module = case.model.get_submodule(terms[0].path)
    outcome = stage.tried(partial(changes.output, module, partial(_put_right, terms), terms[0].leaf))
    return terms[0].path if outcome.proven else None


def _terms(case: Case, gap: Gap, *, certain: bool) -> Iterator[Term]:
    """The children that may have made what is wrong in a sum.

    Args:
        case: of the sum.
        gap: where it is wrong.
        certain: whether it is known that a table's rows are wrong, so that there need not be several sequences.
    """
    if gap.wrong.shape != gap.right.shape or not gap.right.is_floating_point():
        return
    for child in takewhile(lambda child: child.key != gap.place[0], case.moment(gap).children):
        made = child.made()
        if child.path in case.alignment.original_of or len(made) != 1 or _looks_up(child):
            continue
        leaf, tensor = next(iter(made.items()))
        missing = _missing(gap, tensor, certain=certain and any(True for _ in _tables(child)))
        if missing is not None and not _proportional(missing, tensor):
            yield Term(child.path, leaf, tensor, missing)


def _missing(gap: Gap, made: torch.Tensor, *, certain: bool) -> torch.Tensor | None:
    """What a term lacks for the sum to be right, in the term's shape; None if the sum lacks something else.

    The term is the same for every sequence, the sum is not: what is the same in all of them comes of the term.
    """
    shape = gap.right.shape
    if made.dim() > len(shape) or not made.is_floating_point():
        return None
    padded = made.reshape((1,) * (len(shape) - made.dim()) + tuple(made.shape))
    pairs = list(zip(padded.shape, shape, strict=True))
    if any(mine not in (1, length) for mine, length in pairs):
        return None
    axes = [axis for axis, (mine, length) in enumerate(pairs) if mine == 1 and length > 1]
    if not axes and not certain:
        return None
    weight = torch.ones(shape, dtype=torch.float64) if gap.valid is None else gap.valid.double()
    lacking = gap.right.double() - gap.wrong.double()
    mean, spread = _along(lacking, weight, axes)
    slack = max(FACTOR * gap.floor.max_abs, SAME * float(lacking.abs().max()))
    varies = _along(gap.right.double(), weight, axes)[1] > SAME * float(gap.right.abs().max())
    if spread > slack or not (varies or certain):
        return None
    return mean.reshape(made.shape).to(made.dtype)


def _along(values: torch.Tensor, weight: torch.Tensor, axes: list[int]) -> tuple[torch.Tensor, float]:
    """The mean along some axes of what counts, and how far anything is from it."""
    if not axes:
        return values * weight, 0.0
    total = weight.sum(axes, keepdim=True).clamp(min=1)
    mean = (values * weight).sum(axes, keepdim=True) / total
    return mean, float(((values - mean) * weight).abs().max())


def _proportional(missing: torch.Tensor, made: torch.Tensor) -> bool:
    """Whether the term is only too large or too small, which the sum may have made it, too."""
    one, other = missing.double().reshape(-1), made.double().reshape(-1)
    scale = float(one.norm() * other.norm())
    return bool(scale) and abs(float(one @ other)) / scale > 1 - SAME


def _looks_up(child: Moment) -> bool:
    """Whether a child returned just the rows of its table that it was asked for: then the question was wrong."""
    made = next(iter(child.made().values()))
    asked = [ids for ids in child.received().values() if not (ids.is_floating_point() or ids.dtype == torch.bool)]
    return any(
        ids.shape == made.shape[:-1]
        and table.shape[1] == made.shape[-1]
        and bool(((ids >= 0) & (ids < len(table))).all())
        and torch.equal(functional.embedding(ids, table.detach()), made)
        for table in _tables(child)
        for ids in asked
    )


def _tables(child: Moment) -> Iterator[torch.Tensor]:
    return (table for table in child.module.parameters(recurse=False) if table.dim() == 2)


def _put_right(terms: Sequence[Term], tensor: torch.Tensor) -> torch.Tensor:
    for term in terms:
        if term.made.shape == tensor.shape and torch.equal(term.made.to(tensor), tensor):
            return tensor + term.missing.to(tensor)
    return tensor

"""``missing-scale`` and ``extra-scale``: a factor that one side has and the other has not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch

from porting.diagnosis.cause import Case
from porting.diagnosis.glue.relating import THERE, Reading, Related, RelationCause, at_hand, share_of
from porting.diagnosis.glue.roles import Role

CLOSE = 1e-6


class Scale(RelationCause):
    """A whole tensor, a term of a sum or each channel has a factor more or less than in the original."""

    codes: ClassVar = ("missing-scale", "extra-scale")
    rank: ClassVar = 3

    def reading(self, case: Case, found: Related) -> Reading | None:
        """A constant factor, part of a term, or a known vector of factors."""
        if found.kind == "scaled":
            return _scaled(case, found)
        if found.kind == "scaled along" and "different" in found.relation.parameters:
            return Reading(
                "missing-scale", f"it is {found.relation.text}", "multiply by these factors, as the original"
            )
        if found.kind == "scaled term":
            term, vector = found.terms
            return Reading("missing-scale", found.relation.text, f"multiply {term} by {vector} before it is added")
        if found.kind in ("multiplied", "divided"):
            return _by_vector(case, found)
        if found.kind in ("missing", "added"):
            return _part_of_term(case, found)
        return None


def _scaled(case: Case, found: Related) -> Reading | None:
    factor = float(found.relation.parameters["factor"])  # type: ignore[arg-type]
    if not factor or not found.gap.right.is_floating_point():
        return None
    extra = _plain(case, found, found.gap.right) or (not _plain(case, found, found.gap.wrong) and _shrinks(factor))
    name = found.relation.parameters.get("constant", f"{factor:.6g}")
    if extra:
        return Reading(
            "extra-scale",
            f"the tensor is {1 / factor:.6g} times the original's",
            f"leave out the factor {1 / factor:.6g}",
        )
    return Reading(
        "missing-scale", f"it is {found.relation.text}", f"multiply by {name} ({factor:.6g}), as the original"
    )


def _shrinks(factor: float) -> bool:
    """Where neither side is a tensor that is known: the port's is larger by more than a root of a width."""
    return abs(factor) < 1


def _plain(case: Case, found: Related, tensor: torch.Tensor) -> bool:
    """Whether a tensor is one that was there as it is: then no factor was applied to it."""
    for known in _values(case, found):
        if known.numel() == tensor.numel() and known.is_floating_point():
            apart = (known.double().reshape(-1) - tensor.double().reshape(-1)).abs()
            if bool((apart <= CLOSE * tensor.abs().max()).all()):
                return True
    return False


def _values(case: Case, found: Related) -> Iterator[torch.Tensor]:
    """What the culprit had, and the rows of its tables that were looked up."""
    known = at_hand(case, found.gap)
    yield from known.values()
    ids = [t for name, t in known.items() if not t.is_floating_point() and t.dtype != torch.bool]
    tables = [t for name, t in known.items() if Role(case, name).kind == "parameter" and t.dim() == 2]
    for table in tables:
        for places in ids:
            if places.numel() and int(places.min()) >= 0 and int(places.max()) < len(table):
                yield table[places]


def _by_vector(case: Case, found: Related) -> Reading | None:
    role = Role(case, found.terms[0])
    if not role.is_vector or found.relation.parameters["function"] not in ("identity", "1 +"):
        return None
    missing = found.kind == "multiplied"
    return Reading(
        "missing-scale" if missing else "extra-scale",
        f"it is {found.relation.text}",
        f"multiply by {role.name}" if missing else f"leave out the product with {role.name}",
    )


def _part_of_term(case: Case, found: Related) -> Reading | None:
    """A term that counts more on one side; on the other it is taken to count once."""
    amount = float(found.relation.parameters["factor"])  # type: ignore[arg-type]
    role = Role(case, found.terms[0])
    term = at_hand(case, found.gap)[found.terms[0]]
    if role.is_own or term.shape != found.gap.wrong.shape:
        return None
    mine, theirs = (share_of(term, tensor) for tensor in (found.gap.wrong, found.gap.right))
    if abs(amount) == 1 and min(mine, theirs) < THERE:
        return None
    if abs(theirs - 1) < abs(mine - 1):
        factor = 1 - amount
        fix = f"leave out the factor {factor:.6g} of {role.name}"
        return Reading("extra-scale", f"{role.name} counts {factor:.6g} times, in the original once", fix)
    factor = 1 + amount
    fix = f"multiply {role.name} by {factor:.6g} before it is added"
    return Reading("missing-scale", f"{role.name} counts once, in the original {factor:.6g} times", fix)

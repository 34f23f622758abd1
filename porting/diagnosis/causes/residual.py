"""``missing-residual``, ``residual-source``, ``block-order``: what is added to what in a block."""

from __future__ import annotations

from typing import ClassVar

import torch

from porting.diagnosis.cause import Case
from porting.diagnosis.glue.relating import THERE, Reading, Related, RelationCause, at_hand, share_of
from porting.diagnosis.glue.roles import Role


class MissingResidual(RelationCause):
    """A tensor that the block had is not added to what it makes of it."""

    codes: ClassVar = ("missing-residual", "residual-source")
    rank: ClassVar = 3

    def reading(self, case: Case, found: Related) -> Reading | None:
        """A missing term that arrived at the block, or that one of its children made."""
        if found.kind != "missing" or found.relation.parameters["factor"] != 1:
            return None
        role = Role(case, found.terms[0])
        if role.original or role.is_own or role.is_embedding or stream_not_updated(case, found, role):
            return None
        term = at_hand(case, found.gap)[found.terms[0]]
        if term.shape == found.gap.wrong.shape and share_of(term, found.gap.wrong) > THERE:
            return None
        if role.is_output and (later := _later_stream(case, found)):
            return Reading("residual-source", found.relation.text, f"add {later} to it, as the original does")
        return Reading(
            "missing-residual",
            f"{found.relation.text}",
            f"add {found.terms[0]} to it, as the original does",
        )


class ResidualSource(RelationCause):
    """Another tensor than the original's is added."""

    codes: ClassVar = ("residual-source", "norm-placement")
    rank: ClassVar = 3

    def reading(self, case: Case, found: Related) -> Reading | None:
        """One known term in place of another."""
        if found.kind == "added":
            return _stream_too_many(case, found)
        if found.kind != "replaced" or not found.fresh:
            return None
        one, other = (Role(case, name) for name in found.terms)
        if one.is_own or other.is_own or other.original:
            return None
        return Reading(
            "residual-source",
            found.relation.text,
            f"add {other.name} in the place of {one.name}" + (", before the norm" if one.is_norm else ""),
        )


def _stream_too_many(case: Case, found: Related) -> Reading | None:
    role = Role(case, found.terms[0])
    if not role.is_stream or found.relation.parameters["factor"] != -1:
        return None
    return Reading("residual-source", found.relation.text, f"add {role.name} once less")


class BlockOrder(RelationCause):
    """Branches run beside each other that follow on each other in the original, or the other way round."""

    codes: ClassVar = ("block-order",)
    rank: ClassVar = 3

    def reading(self, case: Case, found: Related) -> Reading | None:
        """At the input of a branch, the output of an earlier one is missing, or is too many."""
        if found.kind not in ("missing", "added") or found.gap.where != "input" or len(found.terms) != 1:
            return None
        role = Role(case, found.terms[0])
        whole = found.relation.parameters["factor"] in (1, -1)
        if role.original or not role.is_output or role.is_embedding or not whole:
            return None
        if found.kind == "missing" and stream_not_updated(case, found, role):
            return Reading(
                "block-order",
                f"{found.relation.text}: the branches run in parallel, the original's in sequence",
                f"add {role.name} to the residual stream before this branch reads it",
            )
        if found.kind == "added":
            return Reading(
                "block-order",
                f"{found.relation.text}: the branches run in sequence, the original's in parallel",
                "give both branches the block's own input",
                for_child_only=True,
            )
        return None


def _later_stream(case: Case, found: Related) -> str | None:
    """What had become of the block's input when the missing term was added to it, if the block still had that."""
    known = case.known(found.gap)
    term = known.get(found.terms[0])
    arrived = [t for name, t in known.items() if Role(case, name).kind == "argument"]
    for name, later in known.items():
        if term is None or Role(case, name).kind != "input of" or later.shape != term.shape:
            continue
        if any(t.shape == term.shape and torch.allclose(t + term, later, 1e-4, 1e-5) for t in arrived):
            return name
    return None


def stream_not_updated(case: Case, found: Related, missing: Role) -> bool:
    """Whether the wrong tensor is what arrived at the block itself, without what a branch has made of it since."""
    if found.gap.where != "input" or not missing.is_output:
        return False
    gap = found.gap
    arrived = (t for name, t in case.known(gap).items() if Role(case, name).kind == "argument")
    return any(
        t.shape == gap.wrong.shape and t.dtype == gap.wrong.dtype and bool((t == gap.wrong).all()) for t in arrived
    )

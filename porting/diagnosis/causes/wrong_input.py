"""``wrong-input``, ``gate-order``, ``norm-placement``: another tensor than the original's goes in."""

from __future__ import annotations

from typing import ClassVar

from porting.diagnosis.cause import Case
from porting.diagnosis.relating import Reading, Related, RelationCause
from porting.diagnosis.roles import Role


class WrongInput(RelationCause):
    """One known tensor is in the place of another."""

    codes: ClassVar = ("wrong-input", "norm-placement", "extra-layer")
    rank: ClassVar = 3

    def reading(self, case: Case, found: Related) -> Reading | None:
        """The right tensor is a known one, and the wrong one is another known one."""
        if found.kind != "other tensor" or len(found.terms) != 2:
            return None
        right, wrong = (Role(case, name) for name in found.terms)
        if right.original or right.is_own:
            return None
        if right.is_norm or wrong.is_norm:
            return Reading(
                "norm-placement",
                f"it is {wrong.name}, the original's is {right.name}",
                f"{'leave the norm out' if wrong.is_norm else 'apply the norm'} before this",
            )
        return Reading(
            "wrong-input",
            f"it is {wrong.name}, the original's is {right.name}",
            f"pass {right.name} in the place of it",
        )


class GateOrder(RelationCause):
    """The function of a gated product is applied to the other factor."""

    codes: ClassVar = ("gate-order",)
    rank: ClassVar = 3

    def reading(self, case: Case, found: Related) -> Reading | None:
        """``f(a) * b`` where the original has ``a * f(b)``."""
        if found.kind != "swapped factors":
            return None
        one, other = found.terms
        function = found.relation.parameters["function"]
        return Reading("gate-order", found.relation.text, f"apply {function} to {other}, and multiply by {one}")

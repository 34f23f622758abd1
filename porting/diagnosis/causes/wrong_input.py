"""``wrong-input``, ``gate-order``, ``norm-placement``: another tensor than the original's goes in."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import torch

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair, tensors_of
from porting.diagnosis.glue.relating import Reading, Related, RelationCause, place_of, same
from porting.diagnosis.glue.roles import Role


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
        if wrong.is_output and not wrong.is_norm and _given_to(case, found, wrong.path):
            return Reading(
                "extra-layer",
                f"it went through {wrong.path}, in the original it did not",
                f"leave {wrong.path} out here",
            )
        if right.is_norm != wrong.is_norm:
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


def _given_to(case: Case, found: Related, path: str) -> bool:
    """Whether the right tensor is what a child was given that made the wrong one."""
    known = case.known(found.gap).items()
    return any(name.startswith(f"input of {path} (") and same(tensor, found.gap.right) for name, tensor in known)


class ExtraLayer(Cause):
    """The culprit is called where the original goes on with what the culprit was given."""

    codes: ClassVar = ("extra-layer",)
    rank: ClassVar = 3

    def repairs(self, case: Case) -> Iterator[Repair]:
        """What it was given, in the place of what it made."""
        gap = case.gaps[0]
        if gap.where != "input" or len(case.gaps) > 1 or gap.path == case.path:
            return
        for moment in case.moments:
            made = [t for t in tensors_of(moment.result).values() if same(t, gap.wrong)]
            given = [t for t in moment.received().values() if same(t, gap.right)]
            if made and given:
                label = f"{case.path}#{moment.key[2]}" if moment.key[2] else case.path
                yield Repair(
                    code="extra-layer",
                    summary=f"in {place_of(gap)}, {label} is applied once more than in the original",
                    fix=f"leave out the call of {label}",
                    apply=partial(
                        changes.argument, case.model.get_submodule(gap.path), partial(_given, given[0]), gap.leaf
                    ),
                )
                return


def _given(given: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
    return given.to(tensor)


class GateOrder(RelationCause):
    """The function of a gated product is applied to the other factor."""

    codes: ClassVar = ("gate-order",)
    rank: ClassVar = 3

    def reading(self, case: Case, found: Related) -> Reading | None:
        """``f(a) * b`` where the original has ``a * f(b)``."""
        if found.kind == "replaced factor":
            wrong, right, common = found.terms
            return Reading("gate-order", found.relation.text, f"multiply {common} by {right}, and not by {wrong}")
        if found.kind != "swapped factors":
            return None
        one, other = found.terms
        function = found.relation.parameters["function"]
        return Reading("gate-order", found.relation.text, f"apply {function} to {other}, and multiply by {one}")

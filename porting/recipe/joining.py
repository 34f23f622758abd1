"""A step's claims: those of the registered checks, each listed once where it is written, then those of a person."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from porting.recipe.claims import Claim, PersonClaim
from porting.recipe.making import MAKERS
from porting.recipe.optional import OPTIONAL_CHECKS
from porting.recipe.steps import STEPS

if TYPE_CHECKING:
    from porting.checks import Check
    from porting.recipe.steps import Step


def claims_of(step: Step) -> tuple[Claim, ...]:
    """The claims of one step, in the order in which checks run and people tick."""
    return tuple(claim for claim in all_claims() if claim.step == step.number)


@cache
def all_claims() -> tuple[Claim, ...]:
    """Every claim of the recipe, step by step."""
    from porting.checks import iterate_checks

    programs = [_of_check(check) for check in iterate_checks()]
    people = [_of_person(claim, step) for step in STEPS for claim in step.person]
    return tuple(sorted((*programs, *people), key=lambda claim: claim.step))


def _of_check(check: Check) -> Claim:
    return Claim(
        check.name,
        check.step,
        check.claim.replace("``", "`"),
        "program",
        f"check {check.name.removeprefix('check_')}",
        MAKERS.get(check.name, ""),
        OPTIONAL_CHECKS.get(check.name, ""),
    )


def _of_person(claim: PersonClaim, step: Step) -> Claim:
    command = f"checklist --tick {claim.name} --by NAME --reason TEXT"
    return Claim(claim.name, step.number, claim.text, "person", command, "", claim.optional, claim)

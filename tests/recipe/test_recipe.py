from __future__ import annotations

from collections import Counter

import pytest

from porting.checks import iterate_checks
from porting.recipe import STEPS, Claim, all_claims, claims_of
from porting.recipe.making import MAKERS
from porting.recipe.optional import OPTIONAL_CHECKS

CHECKS = {check.name: check for check in iterate_checks()}
PEOPLE = {claim.name: claim for step in STEPS for claim in step.person}


def test_the_recipe_has_14_steps_two_of_them_optional() -> None:
    assert [step.number for step in STEPS] == list(range(1, 15))
    assert [step.number for step in STEPS if step.optional] == [1, 13]


def test_every_check_and_every_claim_of_a_person_is_listed_once_in_its_step() -> None:
    names = Counter(claim.name for step in STEPS for claim in claims_of(step))
    assert set(names) == {*CHECKS, *PEOPLE}
    assert set(names.values()) == {1}
    assert all(claim.step == CHECKS[claim.name].step for claim in all_claims() if claim.kind == "program")


@pytest.mark.parametrize("claim", all_claims(), ids=lambda claim: str(claim.name))
def test_a_claim_says_who_settles_it_and_how(claim: Claim) -> None:
    assert (claim.kind == "program") == claim.name.startswith("check_") == (claim.person is None)
    assert claim.text.endswith(".")
    assert "``" not in claim.text
    assert claim.command
    if claim.kind == "program":
        assert claim.command == f"check {claim.name.removeprefix('check_')}"
    if claim.kind == "person":
        assert claim.command == f"checklist --tick {claim.name} --by NAME --reason TEXT"


def test_what_the_recipe_says_of_checks_is_about_checks_that_exist() -> None:
    assert set(OPTIONAL_CHECKS) <= set(CHECKS)
    assert set(MAKERS) <= set(CHECKS)
    named = {claim.rests_on for claim in PEOPLE.values() if claim.rests_on}
    named |= {claim.found_by.check for claim in PEOPLE.values() if claim.found_by}
    named |= {claim.first[0] for claim in PEOPLE.values() if claim.first}
    assert named <= set(CHECKS)


def test_what_is_optional_says_why() -> None:
    reasons = [claim.optional for claim in all_claims() if claim.optional] + [step.optional for step in STEPS[:1]]
    assert len(reasons) >= 3
    assert all(len(reason.split()) > 2 for reason in reasons)

"""Whatever the evidence: terminal, Markdown, HTML and JSON say the same of each step, and nothing that is not so."""

from __future__ import annotations

import random
import re
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from evidenced import CLAIMS, change, empty_port, make_up

from porting.checklist import OPEN, STATES, Checklist, make_checklist
from porting.checks import iterate_checks
from porting.evidence import RESULTS, records_by_claim
from porting.report.checklist_markdown import MOST_LINES, checklist_markdown
from porting.report.checklist_page import checklist_page

if TYPE_CHECKING:
    from pathlib import Path

    from porting.portfile import Portfile

SEEDS = range(12)
PROGRAM = [result for result in RESULTS if result != "ticked"]
CHECKS = {check.name for check in iterate_checks()}


def random_evidence(portfile: Portfile, seed: int) -> dict[str, tuple[list[str], bool]]:
    """Random records before and after a change; of each claim its results, and whether the last is from before."""
    draw = random.Random(seed)
    names = [*CLAIMS, "check_of_mine", "old-claim"]
    batches = [[_drawn(draw, name) for name in names if draw.random() < draw.choice((0.3, 0.9))] for _ in range(3)]
    kept: dict[str, tuple[list[str], bool]] = {}
    for number, batch in enumerate(batches):
        if number == 2:
            change(portfile)
        make_up(portfile, batch)
        for name, result, _ in batch:
            kept[name] = ([*kept.get(name, ([], False))[0], result], number < 2)
    return kept


def _drawn(draw: random.Random, name: str) -> tuple[str, str, str]:
    """A claim, a result and who says it."""
    if name in CHECKS and draw.random() < 0.85:
        return name, draw.choice(PROGRAM), ""
    return name, draw.choice(("ticked", "not applicable")), "Ada | `<b>`"


def in_terminal(checklist: Checklist, width: int) -> dict[int, str]:
    words = "|".join(STATES)
    rows = re.findall(rf"^ ?(\d+) ({words}) +(?:\d+ of \d+|-)  ", checklist.text(width), re.MULTILINE)
    return {int(number): state for number, state in rows}


def in_markdown(checklist: Checklist) -> dict[int, str]:
    rows = re.findall(r"^\| `\[.\]` \| (\d+)\. [^|]+ \| ([^|]+) \| ", checklist_markdown(checklist), re.MULTILINE)
    return {int(number): state for number, state in rows}


def in_page(checklist: Checklist) -> dict[int, str]:
    rows = re.findall(r'<details id="step-(\d+)" data-state="([^"]+)"', checklist_page(checklist))
    return {int(number): unescape(state) for number, state in rows}


@pytest.mark.parametrize("seed", SEEDS)
def test_all_renderings_agree_on_every_step(tmp_path: Path, seed: int) -> None:
    portfile = empty_port(tmp_path)
    random_evidence(portfile, seed)
    checklist = make_checklist(portfile)
    states = {step["number"]: step["state"] for step in checklist.to_dict()["steps"]}
    assert sorted(states) == list(range(1, 15))
    assert in_terminal(checklist, 80) == in_terminal(checklist, 140) == states
    assert in_markdown(checklist) == states
    assert in_page(checklist) == states


@pytest.mark.parametrize("seed", SEEDS)
def test_markdown_fits_into_30_lines_with_all_that_people_said(tmp_path: Path, seed: int) -> None:
    portfile = empty_port(tmp_path)
    random_evidence(portfile, seed)
    checklist = make_checklist(portfile)
    text = checklist_markdown(checklist)
    assert len(text.splitlines()) <= MOST_LINES
    said = {claim.claim.step for claim in checklist.claims if claim.by_hand or claim.state == "by hand"}
    assert {int(step) for step in re.findall(r"(?:^- |; )step (\d+), [^*]", text, re.MULTILINE)} == said


@pytest.mark.parametrize("seed", SEEDS)
def test_no_claim_is_more_than_its_evidence(tmp_path: Path, seed: int) -> None:
    portfile = empty_port(tmp_path)
    kept = random_evidence(portfile, seed)
    claims: list[dict[str, Any]] = [
        claim for step in make_checklist(portfile).to_dict()["steps"] for claim in step["claims"]
    ]
    assert {claim["claim"] for claim in claims} == set(CLAIMS)
    for claim in claims:
        results, stale = kept.get(claim["claim"], ([], False))
        if claim["state"] == "done":
            assert "passed" in results
            assert claim["result"] == "passed"
            assert not claim["changed"]
        if claim["state"] == "by hand":
            assert "ticked" in results or results[-1] == "expected failure"
        if not results:
            assert claim["state"] == "to do" or claim["claim"] == "left-out"
        if stale and results:
            assert claim["state"] in ("stale", "to do")
        if results and results[-1] == "failed":
            assert claim["state"] == ("stale" if stale else "failed")
        if results and results[-1] == "passed" and not stale:
            assert claim["state"] == "done"


@pytest.mark.parametrize("seed", SEEDS)
def test_no_step_is_more_than_its_required_claims(tmp_path: Path, seed: int) -> None:
    portfile = empty_port(tmp_path)
    random_evidence(portfile, seed)
    checklist = make_checklist(portfile)
    for step in checklist.steps:
        required = [claim.state for claim in step.claims if not claim.claim.optional]
        gravest = next((state for state in OPEN if state in required), None)
        if gravest is not None:
            assert step.state == gravest
        else:
            assert step.state in ("done", "by hand", "not applicable")
        if step.state == "done":
            assert any(claim.record is not None and claim.record.result == "passed" for claim in step.claims)
    assert checklist.complete == all(step.state not in OPEN for step in checklist.required)
    assert set(checklist.unknown) <= {"check_of_mine", "old-claim"}


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_open_is_named_and_what_is_settled_is_not(tmp_path: Path, seed: int) -> None:
    portfile = empty_port(tmp_path)
    random_evidence(portfile, seed)
    checklist = make_checklist(portfile)
    following = checklist.next
    waiting = {claim.claim.name for step in checklist.required for claim in step.claims if claim.open}
    if following.command is not None and waiting:
        assert any(name.removeprefix("check_") in following.command for name in waiting)
    for line in checklist_markdown(checklist).splitlines():
        if line.startswith("| `[x]`"):
            required = line.rsplit(" | ", 1)[1].removesuffix(" |")
            assert not {name for name in waiting if name in required.split(", ")} & _required(checklist)


def _required(checklist: Checklist) -> set[str]:
    return {claim.claim.name for claim in checklist.claims if not claim.claim.optional}


def test_a_step_without_any_evidence_is_never_done(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    make_up(portfile, [(name, "passed", "") for name in CHECKS if CLAIMS[name].step != 7])
    assert not any(CLAIMS[name].step == 7 for name in records_by_claim(portfile))
    assert make_checklist(portfile).steps[6].state == "to do"

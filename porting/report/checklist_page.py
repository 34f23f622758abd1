"""The checklist as a page of HTML that needs no other file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.portfile import command_line
from porting.report.checklist_words import (
    BOXES,
    LONGEST,
    count_words,
    figure_words,
    hand_lines,
    origin_words,
)
from porting.templating import environment
from porting.text import show

if TYPE_CHECKING:
    from typing import Any

    from porting.checklist import Checklist, ListedClaim, ListedStep

TEMPLATE = "checklist.html.jinja"


def checklist_page(checklist: Checklist) -> str:
    """Every step with all its claims, folded; all that is said in it is escaped."""
    return (
        environment(autoescape=True)
        .get_template(TEMPLATE)
        .render(
            model=show(checklist.model),
            summary=checklist.summary(),
            complete=checklist.complete,
            steps=[_step(step, checklist.portfile) for step in checklist.steps],
            hands=hand_lines(checklist),
            following=show(checklist.next.text, LONGEST),
            command=show(checklist.next.command or "", LONGEST),
            origin=origin_words(checklist.origin),
        )
    )


def _step(step: ListedStep, portfile: str) -> dict[str, Any]:
    return {
        "number": step.step.number,
        "title": step.step.title,
        "about": step.step.about,
        "optional": step.optional,
        "state": step.state,
        "box": BOXES[step.state],
        "count": count_words(step),
        "claims": [_claim(claim, portfile) for claim in step.claims],
        "parts": [
            f"{show(file.path)}, line {part.line}: {show(part.what)}" for file in step.files for part in file.parts
        ],
    }


def _claim(claim: ListedClaim, portfile: str) -> dict[str, Any]:
    return {
        "name": claim.claim.name,
        "text": claim.claim.text,
        "optional": claim.claim.optional,
        "state": claim.state,
        "why": "" if claim.state == "done" else show(claim.why, LONGEST),
        "figures": figure_words(claim),
        "time": "" if claim.record is None else show(claim.record.time),
        "command": show(command_line(portfile, claim.command)) if claim.open else "",
    }

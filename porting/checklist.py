"""The checklist: the recipe's steps, each with what a program has verified of it on one portfile."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from porting.evidence import Figure, Record, changes, newest_records
from porting.portfile import Portfile, command_line
from porting.recipe import STEPS, Claim, Step
from porting.results import Result

OPEN = ("failed", "stale", "inconclusive", "to do")
"""States that ask for something to be done, the gravest first."""


@dataclass(frozen=True, slots=True)
class CheckedClaim:
    """A claim and the newest evidence for it, None if it was never checked."""

    claim: Claim
    evidence: Record | None
    stale: bool

    @property
    def state(self) -> str:
        """``passed``, ``failed``, ``inconclusive``, ``stale`` or ``to do``."""
        if self.evidence is None:
            return "to do"
        return "stale" if self.stale else self.evidence.result

    @property
    def figures(self) -> Mapping[str, Figure]:
        """What was measured, empty if nothing was."""
        return {} if self.evidence is None else self.evidence.figures

    def to_dict(self) -> dict[str, Any]:
        """The claim as JSON."""
        return {
            "claim": self.claim.name,
            "text": self.claim.text,
            "state": self.state,
            "figures": dict(self.figures),
            "time": None if self.evidence is None else self.evidence.time,
            "command": None if self.evidence is None else self.evidence.command,
        }


@dataclass(frozen=True, slots=True)
class CheckedStep:
    """A step and its claims."""

    step: Step
    claims: tuple[CheckedClaim, ...]

    @property
    def state(self) -> str:
        """``done``, ``partly`` (all passed, and more is left to a person), ``by hand``, or the gravest of `OPEN`."""
        states = {claim.state for claim in self.claims}
        unsettled = next((state for state in OPEN if state in states), None)
        if unsettled is not None:
            return unsettled
        return {"program": "done", "partly": "partly", "person": "by hand"}[self.step.verified]

    def to_dict(self) -> dict[str, Any]:
        """The step as JSON."""
        return {
            "number": self.step.number,
            "title": self.step.title,
            "state": self.state,
            "optional": self.step.optional,
            "verified": self.step.verified,
            "left": self.step.left,
            "claims": [claim.to_dict() for claim in self.claims],
        }


@dataclass(frozen=True, slots=True)
class Next:
    """What to do next: the step, what is open there, and the command; None where a person has to act."""

    step: int
    text: str
    command: str | None

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON."""
        return {"step": self.step, "text": self.text, "command": self.command}


@dataclass(frozen=True, repr=False)
class Checklist(Result):
    """The recipe's steps on one portfile: a report, which never fails."""

    renderer: ClassVar[str] = "porting.report.checklist:render_checklist"

    steps: tuple[CheckedStep, ...]
    next: Next

    @property
    def ok(self) -> bool:
        """Always: it reports, and judges nothing."""
        return True

    def summary(self) -> str:
        """How many steps there are of each state."""
        states = [step.state for step in self.steps]
        counts = [
            f"{states.count(state)} {state}" for state in ("done", "partly", *OPEN, "by hand") if state in states
        ]
        return f"checklist of {len(states)} steps: {', '.join(counts)}"

    def to_dict(self) -> dict[str, Any]:
        """The document of ``porting checklist --json``."""
        return {"schema": 1, "steps": [step.to_dict() for step in self.steps], "next": self.next.to_dict()}


def make_checklist(portfile: Portfile) -> Checklist:
    """Put the newest evidence beside each claim of the recipe.

    Raises:
        EvidenceError: the evidence file is damaged.
    """
    evidence = newest_records(portfile)
    steps = tuple(
        CheckedStep(step, tuple(_checked(claim, evidence.get(claim.name), portfile) for claim in step.claims))
        for step in STEPS
    )
    return Checklist(steps, _next(steps, os.path.relpath(portfile.path)))


def _checked(claim: Claim, evidence: Record | None, portfile: Portfile) -> CheckedClaim:
    return CheckedClaim(claim, evidence, stale=evidence is not None and bool(changes(evidence, portfile)))


def _next(steps: Sequence[CheckedStep], portfile_name: str) -> Next:
    """The gravest of the claims that are open, the first of several, else the first step that a person has to do."""
    claims = [(step, claim) for step in steps for claim in step.claims if claim.state in OPEN]
    for step, claim in sorted(claims, key=lambda each: OPEN.index(each[1].state)):
        text = f"{claim.state}: {claim.claim.text}{_ADVICE.get(claim.state, '')}"
        return Next(step.step.number, text, command_line(portfile_name, claim.claim.command))
    left = next(step.step for step in steps if step.step.verified != "program" and not step.step.optional)
    return Next(left.number, left.title, None)


_ADVICE = {"failed": "; correct that, then run it again", "stale": "; what it speaks of has changed since"}

"""The checklist: the recipe's steps on one port, each with what the evidence says of it today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from porting.checklist.states import STATES, State
from porting.results import Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from porting.checklist.following import Next
    from porting.checklist.listed import ListedClaim, ListedStep
    from porting.checklist.origin import Origin


@dataclass(frozen=True, repr=False)
class Checklist(Result):
    """The recipe's steps on one port.

    Attributes:
        model: its name.
        portfile: as commands name it.
        steps: all 14.
        next: what to do next.
        origin: where the evidence comes from.
        unknown: claims of records that the recipe does not have: they count for nothing.
    """

    renderer: ClassVar[str] = "porting.report.checklist:render_checklist"

    model: str
    portfile: str
    steps: tuple[ListedStep, ...]
    next: Next
    origin: Origin
    unknown: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every required step is done, by a program or by hand, or does not apply."""
        return not self.missing

    @property
    def ok(self) -> bool:
        """Whether it is complete: ``porting checklist --check`` exits with 0."""
        return self.complete

    @property
    def required(self) -> tuple[ListedStep, ...]:
        """The steps that a port is not complete without."""
        return tuple(step for step in self.steps if not step.optional)

    @property
    def missing(self) -> tuple[ListedStep, ...]:
        """The required steps that are not done."""
        return tuple(step for step in self.required if step.open)

    @property
    def claims(self) -> Iterator[ListedClaim]:
        """Every claim, step by step."""
        return (claim for step in self.steps for claim in step.claims)

    @property
    def parts(self) -> int:
        """How many parts of files a person has to write."""
        return sum(step.parts for step in self.steps)

    def counts(self) -> dict[State, int]:
        """How many required steps are in which state."""
        states = [step.state for step in self.required]
        return {state: states.count(state) for state in STATES if state in states}

    def summary(self) -> str:
        """How many of the required steps are done, and the states of the others."""
        required = len(self.required)
        others = [f"{count} {state}" for state, count in self.counts().items() if state != "done"]
        head = "complete" if self.complete else "not complete"
        done = self.counts().get("done", 0)
        return f"{head}: of {required} required steps {', '.join((f'{done} done', *others))}"

    def failure_message(self) -> str:
        """The summary, then each required step that is not done."""
        lines = [f"step {step.step.number} ({step.step.title}): {step.state}" for step in self.missing]
        return "\n".join((self.summary(), *lines))

    def to_dict(self) -> dict[str, Any]:
        """The document of ``porting checklist --json``."""
        return {
            "schema": 1,
            "model": self.model,
            "complete": self.complete,
            "counts": dict(self.counts()),
            "parts_left": self.parts,
            "steps": [step.to_dict() for step in self.steps],
            "next": self.next.to_dict(),
            "evidence": self.origin.to_dict(),
            "unknown_claims": list(self.unknown),
        }

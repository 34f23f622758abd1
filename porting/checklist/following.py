"""What to do next: the gravest of what is open, and the command for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from porting.checklist.states import OPEN
from porting.portfile import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from porting.checklist.listed import ListedClaim, ListedStep

ADVICE = {"failed": "mend it, then run this", "stale": "what it speaks of changed, so run this again"}
RUN = "checklist --run"


@dataclass(frozen=True, slots=True)
class Next:
    """What to do next.

    Attributes:
        step: number of the step.
        text: what is open there.
        command: as it is typed; None where a person has to write something.
        all: the command that does this and all else that a program can do, where there is more of it.
    """

    step: int
    text: str
    command: str | None
    all: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON."""
        return {"step": self.step, "text": self.text, "command": self.command, "all": self.all}


def what_follows(steps: Sequence[ListedStep], portfile_name: str) -> Next:
    """The gravest open claim of the required steps, the first of several; then parts left to write; then the end.

    Args:
        steps: in their order.
        portfile_name: as the user names it.
    """
    required = [step for step in steps if not step.optional]
    waiting = [claim for step in required for claim in step.claims if claim.open and not claim.claim.optional]
    for state in OPEN:
        for claim in waiting:
            if claim.state == state:
                return _settling(claim, waiting, portfile_name)
    for step in required:
        if step.files:
            file = step.files[0]
            text = f"to write in {file.path}, line {file.parts[0].line}: {file.parts[0].what}"
            return Next(step.step.number, text, None)
    done = "every required step is done; for the pull request"
    return Next(steps[-1].step.number, done, command_line(portfile_name, "checklist --markdown"))


def _settling(claim: ListedClaim, waiting: Sequence[ListedClaim], portfile_name: str) -> Next:
    text = f"{claim.state}: {claim.claim.text}"
    if advice := ADVICE.get(claim.state):
        text = f"{text} ({advice})"
    programs = [each for each in waiting if each.claim.kind == "program"]
    more = claim.claim.kind == "program" and len(programs) > 1
    return Next(
        claim.claim.step,
        text,
        command_line(portfile_name, claim.claim.command),
        command_line(portfile_name, RUN) if more else None,
    )

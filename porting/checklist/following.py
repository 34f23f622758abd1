"""What to do next: the gravest of what is open, and the command for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from porting.checklist.states import OPEN
from porting.portfile import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from porting.checklist.listed import ListedClaim, ListedStep

RUN = "checklist --run"


@dataclass(frozen=True, slots=True)
class Next:
    """What to do next.

    Attributes:
        step: number of the step.
        text: what is open there.
        command: as it is typed; None where a person has to write something.
        first: what a person runs before, as where weights are to be uploaded; else None.
        all: the command that does this and all else that a program can do, where there is more of it.
    """

    step: int
    text: str
    command: str | None
    first: str | None = None
    all: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON."""
        return asdict(self)


def what_follows(steps: Sequence[ListedStep], portfile_name: str) -> Next:
    """The gravest open claim of the required steps, the first of several; then parts left to write; then the end.

    Args:
        steps: in their order.
        portfile_name: as the user names it.
    """
    required = [step for step in steps if not step.optional]
    waiting = [(step, claim) for step in required for claim in step.claims if claim.open and not claim.claim.optional]
    for state in OPEN:
        for step, claim in waiting:
            if claim.state == state:
                written = claim.command == claim.claim.maker and step.files
                return _writing(step) if written else _settling(claim, [each for _, each in waiting], portfile_name)
    for step in required:
        if step.files:
            return _writing(step)
    done = "every required step is done; for the pull request"
    return Next(steps[-1].step.number, done, command_line(portfile_name, "checklist --markdown"))


def _writing(step: ListedStep) -> Next:
    """The first part that is left to write in a step."""
    file = step.files[0]
    return Next(step.step.number, f"to write in {file.path}, line {file.parts[0].line}: {file.parts[0].what}", None)


def _settling(claim: ListedClaim, waiting: Sequence[ListedClaim], portfile_name: str) -> Next:
    """The command for a claim, and the one for all that programs can find out where several wait."""
    others = [each for each in waiting if each.worth_running and each is not claim]
    more = others and claim.claim.kind == "program"
    return Next(
        claim.claim.step,
        _described(claim, portfile_name),
        command_line(portfile_name, claim.command),
        claim.first or None,
        command_line(portfile_name, RUN) if more else None,
    )


def _described(claim: ListedClaim, portfile_name: str) -> str:
    """The state of a claim, the claim, and where something was found, what, and what to do about it."""
    text = f"{claim.state}: {claim.claim.text}"
    if claim.record is None:
        return text
    advice = _advice(claim, portfile_name)
    return f"{text} ({claim.why}{f'; {advice}' if advice else ''})"


def _advice(claim: ListedClaim, portfile_name: str) -> str:
    """What to do about what was found, before or after the command that is named."""
    if claim.state == "failed":
        return "mend that, then run this"
    if claim.changed:
        return "run this again"
    lacking = claim.record is not None and claim.record.result == "lacking"
    if lacking and claim.command != claim.claim.maker:
        aside = f"checklist --not-applicable {claim.claim.name} --by NAME --reason TEXT"
        return f"see to that, then run this; if it cannot be: {command_line(portfile_name, aside)}"
    return ""

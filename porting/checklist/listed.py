"""The rows of a checklist: claims and steps, each with its state and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from porting.checklist.states import State, is_open, joint_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from porting.checklist.leftover import FileParts
    from porting.evidence import Figure, Record
    from porting.recipe import Claim, Step

NEVER = "never checked"


@dataclass(frozen=True, slots=True)
class ListedClaim:
    """A claim, its state, and the record that decides it.

    Attributes:
        claim: of the recipe.
        state: one of the six.
        record: None if there is none.
        changed: what the record speaks of and is another one by now.
        found: the figure of a check that settles a person's claim.
        first: a command that a person runs before they tick it.
    """

    claim: Claim
    state: State
    record: Record | None = None
    changed: tuple[str, ...] = ()
    found: str = ""
    first: str = ""

    @property
    def open(self) -> bool:
        """Whether something is left to be done for it."""
        return is_open(self.state)

    @property
    def by_hand(self) -> bool:
        """Whether it is a person who says so."""
        return self.record is not None and is_by_hand(self.record)

    @property
    def command(self) -> str:
        """What of ``porting`` is to be run for it: first what makes that which it lacks."""
        lacking = self.record is not None and self.record.result == "lacking"
        return self.claim.maker if lacking and self.claim.maker else self.claim.command

    @property
    def worth_running(self) -> bool:
        """Whether a program may say something else of it by now, with nothing done before."""
        return self.claim.kind == "program" and self.open and (self.record is None or bool(self.changed))

    @property
    def figures(self) -> Mapping[str, Figure]:
        """What was measured, empty if nothing was."""
        return {} if self.record is None else self.record.figures

    @property
    def why(self) -> str:
        """Why it is in its state, in a line; empty for a person's claim of which nothing was said."""
        if self.found:
            return self.found
        if self.record is None:
            return "" if self.claim.kind == "person" else NEVER
        words = _words(self.record)
        return f"{words}; since then: {'; '.join(self.changed)}" if self.changed else words

    def to_dict(self) -> dict[str, Any]:
        """The claim as JSON; ``command`` is what was run, ``next`` what settles it."""
        record = self.record
        return {
            "claim": self.claim.name,
            "text": self.claim.text,
            "kind": self.claim.kind,
            "optional": bool(self.claim.optional),
            "optional_because": self.claim.optional,
            "state": self.state,
            "why": self.why,
            "result": None if record is None else record.result,
            "message": "" if record is None else record.message,
            "changed": list(self.changed),
            "figures": dict(self.figures),
            "time": None if record is None else record.time,
            "command": None if record is None else record.command,
            "commit": None if record is None else record.commit,
            "by": None if record is None else record.by or None,
            "reason": None if record is None else record.reason or None,
            "next": self.command if self.open else None,
            "first": self.first or None,
        }


@dataclass(frozen=True, slots=True)
class ListedStep:
    """A step, its claims, and the parts of its files that are left to a person.

    Attributes:
        step: of the recipe.
        claims: all of them, those of programs first.
        files: those of its files that have such parts.
    """

    step: Step
    claims: tuple[ListedClaim, ...]
    files: tuple[FileParts, ...] = ()

    @property
    def state(self) -> State:
        """The gravest of its required claims; a step with parts left to write is not done."""
        required = [each.state for each in self.claims if not each.claim.optional]
        optional = [each.state for each in self.claims if each.claim.optional]
        state = joint_state(required, optional) if required else joint_state(optional)
        return "to do" if self.parts and not is_open(state) else state

    @property
    def open(self) -> bool:
        """Whether something is left to be done for it."""
        return is_open(self.state)

    @property
    def optional(self) -> bool:
        """Whether a port is complete without it."""
        return bool(self.step.optional)

    @property
    def parts(self) -> int:
        """How many parts of its files a person has to write."""
        return sum(len(file.parts) for file in self.files)

    @property
    def settled(self) -> tuple[ListedClaim, ...]:
        """Claims that hold, by a program or by hand."""
        return tuple(each for each in self.claims if each.state in ("done", "by hand"))

    @property
    def applying(self) -> tuple[ListedClaim, ...]:
        """Claims that are not known not to apply."""
        return tuple(each for each in self.claims if each.state != "not applicable")

    def to_dict(self) -> dict[str, Any]:
        """The step as JSON."""
        return {
            "number": self.step.number,
            "title": self.step.title,
            "about": self.step.about,
            "state": self.state,
            "optional": self.optional,
            "settled": len(self.settled),
            "applying": len(self.applying),
            "parts_left": [part for file in self.files for part in file.to_list()],
            "claims": [claim.to_dict() for claim in self.claims],
        }


def is_by_hand(record: Record) -> bool:
    """Whether a person said it: that a claim holds, or that it does not apply."""
    return record.result == "ticked" or (record.result == "not applicable" and bool(record.by))


def _words(record: Record) -> str:
    """What a record says, in a line."""
    message = record.message.partition("\n")[0]
    if is_by_hand(record):
        head = "ticked by" if record.result == "ticked" else "by hand,"
        return f"{head} {record.by}: {record.reason}"
    heads = {
        "inconclusive": "inconclusive: ",
        "error": "could not run: ",
        "expected failure": "fails as expected: ",
        "passed": "passed",
    }
    return f"{heads.get(record.result, '')}{message}" or record.result

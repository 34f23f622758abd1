"""Claims of the recipe: what is so or not, found out by a program or said by a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["program", "person"]


@dataclass(frozen=True, slots=True)
class PersonClaim:
    """A claim that no program can verify, so that a person ticks it.

    Attributes:
        name: unique in the recipe; it does not begin with ``check_``.
        text: what is claimed.
        rests_on: checks: a tick goes stale when what they speak of changes.
        optional: why a port is complete without it; empty if it is not.
        spared_by: a check and one of its figures: where that is 0, or the check does not apply, neither does this.
        help: a command of ``porting`` that prepares it.
    """

    name: str
    text: str
    rests_on: tuple[str, ...] = ()
    optional: str = ""
    spared_by: tuple[str, str] | None = None
    help: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim of a step, whoever settles it.

    Attributes:
        name: of the check, or of the person's claim.
        step: number of its step.
        text: what is claimed, in a sentence.
        kind: who settles it.
        command: what of ``porting`` produces its evidence, without ``--portfile``.
        optional: why a port is complete without it; empty if it is not.
        person: the person's claim, None for a check.
    """

    name: str
    step: int
    text: str
    kind: Kind
    command: str
    optional: str = ""
    person: PersonClaim | None = None

"""Claims of the recipe: what is so or not, found out by a program or said by a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from porting.evidence import Figure

Kind = Literal["program", "person"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A figure of a check that settles a person's claim, so that nobody has to say it.

    Attributes:
        check: its name.
        figure: its name.
        settles: whether a value does.
        state: of the claim then.
    """

    check: str
    figure: str
    settles: Callable[[Figure], bool]
    state: Literal["done", "not applicable"]


@dataclass(frozen=True, slots=True)
class PersonClaim:
    """A claim that no program can verify, so that a person ticks it.

    Attributes:
        name: unique in the recipe; it does not begin with ``check_``.
        text: what is claimed.
        rests_on: a check: a tick goes stale when files and functions that the check speaks of change.
        asks: functions of the portfile: a tick goes stale when they or the files that they name change.
        optional: why a port is complete without it; empty if it is not.
        found_by: what settles it without a person, if there is something.
        first: a check, and its figure that is the command to be run before.
    """

    name: str
    text: str
    rests_on: str = ""
    asks: tuple[Literal["checkpoint", "rules"], ...] = ()
    optional: str = ""
    found_by: Finding | None = None
    first: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim of a step, whoever settles it.

    Attributes:
        name: of the check, or of the person's claim.
        step: number of its step.
        text: what is claimed, in a sentence.
        kind: who settles it.
        command: what of ``porting`` produces its evidence, without ``--portfile``.
        maker: what of ``porting`` makes that which the check looks at, where it is lacking; empty if nothing does.
        optional: why a port is complete without it; empty if it is not.
        person: the person's claim, None for a check.
    """

    name: str
    step: int
    text: str
    kind: Kind
    command: str
    maker: str = ""
    optional: str = ""
    person: PersonClaim | None = None

"""What a person says of a claim: that it holds, or that it does not apply, with a name and a reason."""

from __future__ import annotations

import difflib
from functools import partial
from typing import TYPE_CHECKING

from porting.checklist.judging import failure_that_stands
from porting.checklist.making import listed_claims
from porting.errors import PortingError
from porting.evidence import Outcome, changes, forget_ticks, keep, records_by_claim
from porting.evidence.asking import listening
from porting.evidence.renewing import about_today
from porting.evidence.subjects import about
from porting.portfile import command_line
from porting.recipe import all_claims
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from porting.checklist.listed import ListedClaim
    from porting.evidence import Record
    from porting.portfile import Portfile
    from porting.recipe import Claim


MOST_CHARACTERS = 2000
PORT = "function ported"
"""What a tick speaks of where no check has run that tells it better."""


CIRCUMSTANCES = ("version", "expected", "evidence", "until")
"""Kinds of subjects that a check speaks of and a person does not."""


class TickError(PortingError):
    """A claim that is not known, or that cannot be ticked."""

    code = "tick"
    exit_code = 2


def tick(portfile: Portfile, claim_name: str, by: str, reason: str) -> Claim:
    """Keep that a person vouches for a claim; it goes stale when what the claim speaks of changes.

    Args:
        portfile: of the port.
        claim_name: a check, with or without ``check_``, or a person's claim.
        by: who says it.
        reason: why it holds.

    Returns:
        The claim.

    Raises:
        TickError: there is no such claim, a program found it wrong or verified it, or name or reason are empty.
        EvidenceError: the evidence file is damaged.
        OutputError: it cannot be written.
    """
    claim = claim_named(claim_name)
    _keep(portfile, [claim], "ticked", by, reason)
    return claim


def set_aside(portfile: Portfile, claim_or_step: str, by: str, reason: str) -> tuple[Claim, ...]:
    """Keep that a person says that a claim, or all of a step that no program verified, does not apply.

    Args:
        portfile: of the port.
        claim_or_step: a claim, or the number of a step.
        by: who says it.
        reason: why it does not apply.

    Returns:
        The claims that were set aside.

    Raises:
        TickError: there is no such claim or step, a program found one wrong or verified it, or name or reason are
            empty.
        EvidenceError: the evidence file is damaged.
        OutputError: it cannot be written.
    """
    claims = [claim_named(claim_or_step)] if not claim_or_step.isdecimal() else _open_of(portfile, int(claim_or_step))
    _keep(portfile, claims, "not applicable", by, reason)
    return tuple(claims)


def untick(portfile: Portfile, claim_or_step: str) -> tuple[Claim, ...]:
    """Take back what people said of a claim, or of all claims of a step.

    Raises:
        TickError: there is no such claim or step, or nobody said anything of it.
        EvidenceError: the evidence file is damaged.
        OutputError: it cannot be written.
    """
    claims = [claim_named(claim_or_step)] if not claim_or_step.isdecimal() else _of_step(int(claim_or_step))
    records = records_by_claim(portfile)
    said = [claim for claim in claims if any(record.by for record in records.get(claim.name, ()))]
    if not said:
        raise TickError(
            f"nobody ticked {show(claim_or_step)}", hint=f"see: {command_line(portfile.path.name, 'checklist')}"
        )
    forget_ticks(portfile, [claim.name for claim in said])
    return tuple(said)


def claim_named(name: str) -> Claim:
    """The claim of a name, for a check with or without ``check_``.

    Raises:
        TickError: there is none.
    """
    claims = {claim.name: claim for claim in all_claims()}
    found = claims.get(name) or claims.get(f"check_{name}")
    if found is None:
        close = difflib.get_close_matches(name, claims, n=1) or difflib.get_close_matches(f"check_{name}", claims, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        people = ", ".join(claim.name for claim in claims.values() if claim.kind == "person")
        raise TickError(
            f"the recipe has no claim {show(name) or '(empty)'}{meant}",
            hint=f"claims of a person are: {people}; checks: porting check --list",
        )
    return found


def _of_step(number: int) -> list[Claim]:
    claims = [claim for claim in all_claims() if claim.step == number]
    if not claims:
        raise TickError(f"the recipe has no claims in a step {number}: its steps are 1 to 14")
    return claims


def _open_of(portfile: Portfile, number: int) -> list[Claim]:
    """The claims of a step that no program verified or found not to apply, and nobody ticked."""
    claims = _of_step(number)
    listed = listed_claims(portfile, records_by_claim(portfile))
    found = [claim for claim in claims if listed[claim.name].open]
    if not found:
        raise TickError(f"nothing of step {number} is open", hint=f"see: porting checklist --step {number}")
    return found


def _keep(portfile: Portfile, claims: Sequence[Claim], result: str, by: str, reason: str) -> None:
    by, reason = by.strip(), reason.strip()
    if not by or not reason:
        raise TickError("a tick by hand needs a name and a reason", hint="add: --by NAME --reason TEXT")
    if len(by) + len(reason) > MOST_CHARACTERS:
        raise TickError(
            f"a name and a reason have at most {MOST_CHARACTERS} characters together", hint="say it shorter"
        )
    records = records_by_claim(portfile)
    listed = listed_claims(portfile, records)
    for claim in claims:
        _require_free(portfile, listed[claim.name], records.get(claim.name, ()))
    outcomes = [
        Outcome(claim.name, claim.step, result, about=_about(portfile, claim, records), by=by, reason=reason)
        for claim in claims
    ]
    keep(portfile, outcomes, command_line(portfile.path.name, "checklist"))


def _require_free(portfile: Portfile, listed: ListedClaim, records: Sequence[Record]) -> None:
    """Refuse to tick what a program has found out.

    Raises:
        TickError: it failed, or it passed and nothing changed since.
    """
    claim = listed.claim
    command = command_line(portfile.path.name, claim.command)
    failure = failure_that_stands(records, partial(changes, portfile=portfile))
    if failure is not None or (listed.record is not None and listed.record.result == "failed"):
        raise TickError(
            f"{claim.name} failed, and a tick does not hide a failure",
            hint=f"mend it, then: {command}; or give the reason in the portfile's EXPECTED_FAILURES",
        )
    if listed.state == "done":
        raise TickError(f"{claim.name} passed, so there is nothing to tick", hint=f"to see it pass again: {command}")


def _about(portfile: Portfile, claim: Claim, records: Mapping[str, Sequence[Record]]) -> dict[str, str]:
    """What a tick speaks of, as it is today.

    What the check spoke of last, or for a person's claim the files and functions of the check on which it rests; the
    port where no check has run that tells it better.
    """
    person = claim.person
    if person is None:
        return about_today(portfile, _spoken(claim.name, records) or (PORT,))
    if person.asks:
        with listening() as asked:
            for name in person.asks:
                getattr(portfile, name)()
        return about(portfile, asked)
    if not person.rests_on:
        return {}
    subjects = [each for each in _spoken(person.rests_on, records) if each.partition(" ")[0] not in CIRCUMSTANCES]
    return about_today(portfile, subjects or (PORT,))


def _spoken(check: str, records: Mapping[str, Sequence[Record]]) -> Mapping[str, str]:
    return next((record.about for record in reversed(records.get(check, ())) if record.about), {})

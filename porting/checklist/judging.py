"""What the evidence says of one claim today."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checklist.listed import ListedClaim, is_by_hand
from porting.evidence import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from porting.checklist.states import State
    from porting.evidence import Record
    from porting.recipe import Claim

    Changes = Callable[[Record], tuple[str, ...]]

SAID: Mapping[str, State] = {
    "passed": "done",
    "failed": "failed",
    "expected failure": "by hand",
    "not applicable": "not applicable",
    "ticked": "by hand",
}


def judge(claim: Claim, records: Sequence[Record], changes: Changes) -> ListedClaim:
    """The state of a claim and why.

    A failure of a program stands, whatever a person says, until it is found otherwise or something changed; a person's
    word stands where a program said nothing, or earlier. What one command showed is not taken back by another that
    lacks what it takes, as where ``porting capture --repeat`` ran an original that ``porting check`` cannot.

    Args:
        claim: of the recipe.
        records: all of the claim, the oldest first.
        changes: what a record speaks of and is another one by now, in words.
    """
    record = _deciding(records, changes)
    if record is None:
        return ListedClaim(claim, "to do")
    changed = changes(record)
    if record.result in SILENT:
        return ListedClaim(claim, "to do", record, changed)
    return ListedClaim(claim, "stale" if changed else SAID[record.result], record, changed)


def failure_that_stands(records: Sequence[Record], changes: Changes) -> Record | None:
    """A program's last word on a claim if that is a failure, and nothing that it speaks of has changed since."""
    said = [record for record in records if not is_by_hand(record) and record.result not in SILENT]
    stands = said and said[-1].result == "failed" and not changes(said[-1])
    return said[-1] if stands else None


def _deciding(records: Sequence[Record], changes: Changes) -> Record | None:
    """The record that decides about a claim, if there is one."""
    if failure := failure_that_stands(records, changes):
        return failure
    newest = next((record for record in reversed(records) if not is_by_hand(record)), None)
    if newest is not None and newest.result == "failed":
        return newest
    shown = _shown(records)
    if shown is not None and not changes(shown):
        return shown
    return _last_word(records)


def _shown(records: Sequence[Record]) -> Record | None:
    """A program's last word, where it is that the claim holds."""
    said = [record for record in records if not is_by_hand(record) and record.result != "lacking"]
    return said[-1] if said and said[-1].result in ("passed", "expected failure") else None


def _last_word(records: Sequence[Record]) -> Record | None:
    """The newest record; a person's word is not taken back by a run that says nothing."""
    said = [record for record in records if record.result not in SILENT]
    if said and is_by_hand(said[-1]):
        return said[-1]
    return records[-1] if records else None

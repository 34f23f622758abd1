"""The checklist as annotations of GitHub Actions: one line each, in which nobody else's text is a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.report.checklist_words import LONGEST
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from porting.checklist import Checklist, ListedClaim

MOST = 10
"""Annotations of a kind that GitHub shows."""


def workflow_commands(checklist: Checklist) -> Iterator[str]:
    """An error for each required claim that failed, a notice for what else failed or is stale; then the counts."""
    required = [claim for step in checklist.required for claim in step.claims if not claim.claim.optional]
    errors = [claim for claim in required if claim.state == "failed"]
    others = [claim for claim in checklist.claims if claim.state in ("failed", "stale") and claim not in errors]
    yield from _of_kind("error", errors)
    yield from _of_kind("notice", others)
    yield _command("notice", "Porting checklist", checklist.summary())


def _of_kind(kind: str, claims: list[ListedClaim]) -> Iterator[str]:
    for claim in claims[: MOST - 1]:
        title = f"Step {claim.claim.step}, {claim.state}: {claim.claim.name}"
        yield _command(kind, title, claim.why or claim.claim.text)
    if (more := len(claims) - (MOST - 1)) > 0:
        yield _command(kind, "Porting checklist", f"and {more} more: porting checklist")


def _command(kind: str, title: str, message: str) -> str:
    return f"::{kind} title={_escaped(title, ':,')}::{_escaped(message)}"


def _escaped(words: str, also: str = "") -> str:
    """Text as the runner reads it back: ``%`` first, then what would end a property."""
    shown = show(words, LONGEST).replace("##[", "# #[").replace("%", "%25")
    for character in also:
        shown = shown.replace(character, f"%{ord(character):02X}")
    return shown

"""Evidence that is made up, for tests of what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.evidence import Figure, Outcome, Record, changes, record, records_by_claim
from porting.evidence.subjects import about_files
from porting.portfile import Portfile
from porting.recipe import Claim, all_claims

if TYPE_CHECKING:
    from pathlib import Path

PORTFILE = "def original(): ...\ndef ported(): ...\ndef inputs(): ...\n"
CLAIMS = {claim.name: claim for claim in all_claims()}


def empty_port(folder: Path, extra: str = "") -> Portfile:
    """A portfile that loads, with a file ``code.py`` beside it that made-up evidence speaks of."""
    (folder / "code.py").write_text("scale = 1\n")
    path = folder / "portfile.py"
    path.write_text(PORTFILE + extra)
    return Portfile.load(path)


def add(portfile: Portfile, claim: str, result: str, message: str = "", *, by: str = "", **figures: Figure) -> None:
    """Add a record that speaks of ``code.py``."""
    about = about_files(portfile, [portfile.folder / "code.py"])
    step = CLAIMS[claim].step if claim in CLAIMS else 7
    outcome = Outcome(claim, step, result, figures, message, about, by, "seen" if by else "")
    assert record(portfile, [outcome], "porting check") is None


def make_up(portfile: Portfile, said: list[tuple[str, str, str]]) -> None:
    """Add records at once: claim, result, and who says it."""
    about = about_files(portfile, [portfile.folder / "code.py"])
    outcomes = [
        Outcome(claim, CLAIMS[claim].step if claim in CLAIMS else 7, result, {"size": 2}, "why | `it`", about, by, by)
        for claim, result, by in said
    ]
    assert record(portfile, outcomes, "porting check") is None


def change(portfile: Portfile) -> None:
    """Make all evidence so far stale."""
    code = portfile.folder / "code.py"
    code.write_text(code.read_text() + "scale += 1\n")


def complete(portfile: Portfile, *but: str) -> None:
    """Add a pass or a tick for every claim but some."""
    about = about_files(portfile, [portfile.folder / "code.py"])
    outcomes = [_good(claim, about) for claim in CLAIMS.values() if claim.name not in but]
    assert record(portfile, outcomes, "porting check") is None


def newest(portfile: Portfile, claim: str) -> Record:
    """The last record of a claim."""
    return records_by_claim(portfile)[claim][-1]


def is_fresh(portfile: Portfile, claim: str) -> bool:
    """Whether nothing changed since the last record of a claim."""
    return not changes(newest(portfile, claim), portfile)


def _good(claim: Claim, about: dict[str, str]) -> Outcome:
    if claim.kind == "person":
        return Outcome(claim.name, claim.step, "ticked", about=about, by="Ada", reason="seen")
    return Outcome(claim.name, claim.step, "passed", {"compared": 3}, about=about)

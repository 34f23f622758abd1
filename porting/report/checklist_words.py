"""What every rendering of a checklist says: what is open, what was found, what people said, and on what commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from porting.checklist.states import OPEN
from porting.report.figures import digits
from porting.text import show

if TYPE_CHECKING:
    from porting.checklist import Checklist, ListedClaim, ListedStep, State
    from porting.checklist.origin import Origin
    from porting.evidence import Figure

BOXES: dict[State, str] = {
    "done": "[x]",
    "by hand": "[x]",
    "failed": "[!]",
    "stale": "[~]",
    "to do": "[ ]",
    "not applicable": "[-]",
}
MOST_NAMES = 3
MOST_FIGURES = 2
LONGEST = 300
"""Characters of a reason, of a program or a person."""
PREFIX = "check_"


@dataclass(frozen=True, slots=True)
class Line:
    """Claims that are in one state for one reason.

    Attributes:
        state: theirs.
        names: of the claims, without ``check_``.
        why: they are in it; for a person's claim what is claimed.
        optional: whether their step is done without them.
    """

    state: State
    names: tuple[str, ...]
    why: str
    optional: bool

    def text(self) -> str:
        """The names, as many as fit, and why."""
        return f"{names_of(self.names)}: {self.why}"

    @property
    def word(self) -> str:
        """The state, and whether it matters."""
        return f"{self.state} (optional)" if self.optional else self.state


def open_lines(step: ListedStep) -> tuple[Line, ...]:
    """What is open in a step, the gravest first, and what is not required last; then the parts left to write."""
    found: dict[tuple[State, str, bool], list[str]] = {}
    for claim in step.claims:
        if claim.open:
            kind = (claim.state, _reason(claim), bool(claim.claim.optional))
            found.setdefault(kind, []).append(short(claim.claim.name))
    lines = [Line(state, tuple(names), why, optional) for (state, why, optional), names in found.items()]
    parts = [Line("to do", (show(file.path),), parts_words(len(file.parts)), False) for file in step.files]
    return tuple(sorted((*lines, *parts), key=lambda line: (line.optional, OPEN.index(line.state))))


def found_words(step: ListedStep, most: int = 2) -> str:
    """What programs verified of a step, with the figures that say most, of as many claims as are wanted."""
    done = [claim for claim in step.claims if claim.state == "done"]
    told = sorted(done, key=lambda claim: not claim.figures)[:most]
    words = [f"{short(claim.claim.name)}{_decisive(claim)}" for claim in done if claim in told]
    if len(done) > len(words):
        words.append(f"{len(done) - len(words)} more")
    return ", ".join(words)


def hand_lines(checklist: Checklist) -> tuple[str, ...]:
    """What was not found by a program but said by a person, claim by claim; alike ones together."""
    found: dict[tuple[int, str], list[str]] = {}
    for claim in checklist.claims:
        if claim.by_hand or claim.state == "by hand":
            stale = "stale: " if claim.state == "stale" else ""
            found.setdefault((claim.claim.step, f"{stale}{show(claim.why, LONGEST)}"), []).append(
                short(claim.claim.name)
            )
    return tuple(f"step {step}, {names_of(names)}: {why}" for (step, why), names in found.items())


def figure_words(claim: ListedClaim) -> str:
    """What was measured."""
    return _listed([(name, value) for name, value in claim.figures.items() if value is not None])


def parts_words(count: int) -> str:
    """How many parts of files a person has to write."""
    return f"{count} part{'s' if count > 1 else ''} left to you: [[you: …]]"


def origin_words(origin: Origin) -> str:
    """Where the evidence comes from, in a line."""
    if not origin.records:
        return "There is no evidence yet."
    commits = f"commit {', '.join(origin.commits)}" if origin.commits else "no commit"
    versions = ", ".join(f"{package} {' and '.join(values)}" for package, values in origin.versions)
    devices = ", ".join(origin.devices)
    facts = (commits, versions, devices, f"newest {origin.time}")
    return show(f"Evidence: {origin.records} records; {'; '.join(fact for fact in facts if fact)}", 500)


def count_words(step: ListedStep) -> str:
    """How many of the claims that apply hold."""
    return f"{len(step.settled)} of {len(step.applying)}" if step.applying else "-"


def names_of(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    shown = names if len(names) <= MOST_NAMES + 1 else names[:MOST_NAMES]
    more = f" and {len(names) - len(shown)} more" if len(shown) < len(names) else ""
    return f"{', '.join(shown)}{more}"


def short(name: str) -> str:
    """A check as it is typed."""
    return name.removeprefix(PREFIX)


def _reason(claim: ListedClaim) -> str:
    return show(claim.why or claim.claim.text, LONGEST)


def _decisive(claim: ListedClaim) -> str:
    """The figures that say most, in brackets: what was measured, then what was counted; no path of this machine."""
    known = [(name, value) for name, value in claim.figures.items() if value is not None]
    fit = [each for each in known if not isinstance(each[1], str) or not set("/\\") & set(each[1])]
    ranked = sorted(fit, key=lambda each: (not isinstance(each[1], float), not isinstance(each[1], int)))
    return f" ({_listed(ranked[:MOST_FIGURES])})" if ranked else ""


def _listed(figures: Sequence[tuple[str, Figure]]) -> str:
    return ", ".join(f"{show(name, 40).replace('_', ' ')} {_figure(value)}" for name, value in figures)


def _figure(value: Figure) -> str:
    return digits(value) if isinstance(value, float) else show(value, 40)

"""The checklist as GitHub's Markdown, for the pull request; what others wrote stays text in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from porting.checklist.states import OPEN
from porting.report.checklist_words import (
    BOXES,
    LONGEST,
    count_words,
    found_words,
    hand_lines,
    names_of,
    open_lines,
    origin_words,
)
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from porting.checklist import Checklist, ListedStep

MOST_LINES = 30
"""Of a checklist: what a reviewer sees at once."""
FEWEST_OPEN = 2
"""Lines of what is open, however much was said by hand."""
HEADING = 2
"""Lines of a heading of a list."""
LINK = re.compile(r"(?<![\w/.@])https?://[A-Za-z0-9][A-Za-z0-9./_=?#&%-]*[A-Za-z0-9/]")
SPECIAL = re.compile(r"[\\`*\[\]<>|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
REFERENCE = re.compile(r"[@#](?=\w)|\bGH(?=-\d)")
"""The beginning of a mention of a person or an issue."""


def checklist_markdown(checklist: Checklist) -> str:
    """One row for each step; then what is open, what people said and where the evidence is from."""
    head = [f"### Porting checklist: {text(checklist.model)}", f"{text(checklist.summary())}.", ""]
    table = ["| | step | state | holds | verified by a program | not done |", "|---|---|---|---|---|---|"]
    table += map(_row, checklist.steps)
    end = ["", f"<sub>{text(origin_words(checklist.origin), 500)}</sub>"]
    room = MOST_LINES - len((*head, *table, *end))
    fewest = len(_list("Open", _open(checklist, FEWEST_OPEN)))
    by_hand = _list("Said by a person", _joined(hand_lines(checklist), room - fewest - HEADING))
    still = _list("Open", _open(checklist, room - len(by_hand) - HEADING))
    return "\n".join((*head, *table, *still, *by_hand, *end)) + "\n"


def text(words: object, limit: int = LONGEST) -> str:
    """Words of others as text: no markup, table, mention, reference or control character; plain links stay links."""
    shown = show(words, limit)
    parts, end = [], 0
    for link in LINK.finditer(shown):
        parts += [_plain(shown[end : link.start()]), link[0]]
        end = link.end()
    return "".join((*parts, _plain(shown[end:])))


def _plain(words: str) -> str:
    escaped = SPECIAL.sub(lambda found: f"\\{found[0]}", words.replace("&", "&amp;"))
    return REFERENCE.sub(lambda found: f"{found[0]}<!-- -->", escaped)


def _row(step: ListedStep) -> str:
    title = f"{step.step.number}. {step.step.title}{' (optional)' if step.optional else ''}"
    still = [name for line in open_lines(step) for name in line.names]
    found, left = text(found_words(step), 3 * LONGEST), text(names_of(still))
    return f"| {' | '.join((f'`{BOXES[step.state]}`', title, step.state, count_words(step), found, left))} |"


def _list(heading: str, lines: Sequence[str]) -> list[str]:
    """A list under a heading; nothing without lines."""
    return ["", f"**{heading}**", *(f"- {line}" for line in lines)] if lines else []


def _joined(lines: Sequence[str], most: int) -> list[str]:
    """All that people said, as none of it is left out; on the last line what would need more lines."""
    shown = [text(line, LONGEST) for line in lines]
    return shown if len(shown) <= most else [*shown[: most - 1], "; ".join(shown[most - 1 :])]


def _open(checklist: Checklist, most: int) -> list[str]:
    """What is required and open, a line for each reason, the gravest first."""
    lines = [(step, line) for step in checklist.required for line in open_lines(step) if not line.optional]
    lines.sort(key=lambda each: OPEN.index(each[1].state))
    shown = lines if len(lines) <= most else lines[: most - 1]
    found = [f"step {step.step.number}, **{line.state}**: {text(line.text())}" for step, line in shown]
    if more := sum(len(line.names) for _, line in lines[len(shown) :]):
        found.append(f"and {more} more")
    return found

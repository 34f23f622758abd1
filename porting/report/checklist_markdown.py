"""The checklist as GitHub's Markdown, for the pull request; what others wrote stays text in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

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
    from collections.abc import Iterator, Sequence

    from porting.checklist import Checklist, ListedStep
    from porting.report.checklist_words import Line

MOST_LINES = 30
"""Of a checklist on which little was said by hand."""
FEWEST_OPEN = 3
"""Lines of what is open, however much was said by hand."""
LINK = re.compile(r"(?<![\w/.@])https?://[A-Za-z0-9][A-Za-z0-9./_=?#&%-]*[A-Za-z0-9/]")
SPECIAL = re.compile(r"[\\`*\[\]<>|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
REFERENCE = re.compile(r"[@#](?=\w)")
"""The beginning of a mention of a person or an issue."""


def checklist_markdown(checklist: Checklist) -> str:
    """One row for each step; then what is open, what people said and where the evidence is from."""
    head = [f"### Porting checklist: {text(checklist.model)}", "", text(checklist.summary()), ""]
    table = [
        "| | step | state | holds | verified by a program |",
        "|---|---|---|---|---|",
        *map(_row, checklist.steps),
    ]
    hands = [f"- {text(line, LONGEST)}" for line in hand_lines(checklist)]
    by_hand = ["", "**Said by a person**", *hands] if hands else []
    end = ["", f"<sub>{text(origin_words(checklist.origin), 500)}</sub>"]
    room = MOST_LINES - len((*head, *table, *by_hand, *end)) - 3
    still = list(_open(checklist, max(room, FEWEST_OPEN)))
    return "\n".join((*head, *table, *(["", "**Open**", *still] if still else []), *by_hand, *end)) + "\n"


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
    cells = (f"`{BOXES[step.state]}`", title, step.state, count_words(step), text(found_words(step), 3 * LONGEST))
    return f"| {' | '.join(cells)} |"


def _open(checklist: Checklist, most: int) -> Iterator[str]:
    """What is open, a line for each step; what is not required in one."""
    lines = {step.step.number: open_lines(step) for step in checklist.steps}
    required = {number: [each for each in found if not each.optional] for number, found in lines.items()}
    numbers = [number for number, found in required.items() if found]
    shown = numbers if len(numbers) <= most else numbers[: most - 1]
    for number in shown:
        yield _of_step(number, required[number])
    if len(shown) < len(numbers):
        yield f"- and in the steps {', '.join(map(str, numbers[len(shown) :]))}"
    optional = [f"{text(names_of(each.names))} ({n})" for n, found in lines.items() for each in found if each.optional]
    if optional:
        yield f"- optional: {', '.join(optional)}"


def _of_step(number: int, lines: Sequence[Line]) -> str:
    first, *others = lines
    more = f"; and {sum(len(line.names) for line in others)} more" if others else ""
    return f"- step {number}, **{first.state}**: {text(first.text())}{more}"

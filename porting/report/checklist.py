"""The checklist in the terminal: a line for each step, what is open below it, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from porting.portfile import command_line
from porting.report.checklist_words import (
    Line,
    count_words,
    figure_words,
    open_lines,
    origin_words,
    parts_words,
)
from porting.report.detail import next_line
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from porting.checklist import Checklist, ListedClaim, ListedStep, Next, State
    from porting.evidence import Record

STYLES: dict[State, str] = {
    "done": "green",
    "by hand": "magenta",
    "failed": "bold red",
    "stale": "yellow",
    "to do": "cyan",
    "not applicable": "dim",
}
MOST_LINES = 3
"""Of what is open in a step."""
MOST_SUBJECTS = 8


def render_checklist(checklist: Checklist) -> RenderableType:
    """The steps, folded; the counts; what to do next."""
    lines = [line for step in checklist.steps for line in _step(step, checklist.portfile)]
    heading = _line(f"   {'state':14} claims", style="dim")
    return Group(heading, *lines, Text(), *_end(checklist))


def render_steps(checklist: Checklist, numbers: Sequence[int]) -> RenderableType:
    """Some of the steps, the counts of all, and what to do next."""
    steps = [checklist.steps[number - 1] for number in numbers]
    lines = [line for step in steps for line in _step(step, checklist.portfile)]
    return Group(*lines, _counts(checklist), *_following(checklist.next))


def render_step(checklist: Checklist, number: int) -> RenderableType:
    """One step with all its claims: figures, why, what it speaks of, and how each is settled."""
    step = checklist.steps[number - 1]
    lines: list[RenderableType] = [_head(step), _fact(step.step.about)]
    if step.optional:
        lines.append(_fact(f"optional: {step.step.optional}"))
    for claim in step.claims:
        lines += _claim(claim, checklist.portfile)
    for file in step.files:
        lines.append(Text(f"\n    {show(file.path)}: {parts_words(len(file.parts))}", style=STYLES["to do"]))
        lines += [_fact(f"line {part.line}: {show(part.what)}") for part in file.parts]
    return Group(*lines)


def _step(step: ListedStep, portfile: str) -> Iterator[Text]:
    yield _head(step)
    lines = open_lines(step)
    for line in lines[:MOST_LINES]:
        yield _open(line)
    if len(lines) > MOST_LINES:
        command = command_line(portfile, f"checklist --step {step.step.number}")
        yield Text(f"      and {len(lines) - MOST_LINES} more: {command}", style="dim")


def _head(step: ListedStep) -> Text:
    return _line(
        Text.assemble(
            f"{step.step.number:2} ",
            (f"{step.state:14} ", STYLES[step.state]),
            f"{count_words(step):8} ",
            ("(optional) " if step.optional else "", "dim"),
            (step.step.title, "bold" if step.open and not step.optional else ""),
        )
    )


def _open(line: Line) -> Text:
    style = "dim" if line.optional else STYLES[line.state]
    return _line(Text.assemble("      ", (line.word, style), f"  {line.text()}"))


def _line(text: str | Text, style: str = "") -> Text:
    """A line that is cut where the terminal ends."""
    line = Text(text, style=style) if isinstance(text, str) else text
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _claim(claim: ListedClaim, portfile: str) -> Iterator[RenderableType]:
    yield Text.assemble("\n    ", (f"{claim.state:14}", STYLES[claim.state]), f"  {claim.claim.name}")
    yield _fact(claim.claim.text)
    if claim.claim.optional:
        yield _fact(f"optional: {claim.claim.optional}")
    for words in (claim.why if claim.state != "done" else "", figure_words(claim)):
        if words:
            yield _fact(show(words, 1000))
    if claim.record is not None:
        yield _fact(f"{show(claim.record.command)}, {show(claim.record.time)}")
        yield _fact(f"speaks of {_subjects(claim.record)}")
    if claim.open:
        yield _fact(
            f"next: {show(claim.first, 300)}{', then: ' if claim.first else ''}{command_line(portfile, claim.command)}"
        )


def _fact(words: str) -> RenderableType:
    """What is said of a claim or a step, indented under it."""
    return Padding(Text(words, style="dim"), (0, 0, 0, 6), expand=False)


def _subjects(record: Record) -> str:
    """What a record speaks of: functions of the portfile and versions first, then files."""
    names = [words for subject, value in record.about.items() if (words := _subject(subject, value))]
    names.sort(key=lambda name: "/" in name or "." in name.partition(" ")[0])
    more = f" and {len(names) - MOST_SUBJECTS} more" if len(names) > MOST_SUBJECTS else ""
    return f"{', '.join(names[:MOST_SUBJECTS])}{more}" if names else "nothing that can change"


def _subject(subject: str, value: str) -> str:
    kind, _, name = subject.partition(" ")
    words = {"function": f"{name}()", "version": f"{name} {value}", "expected": "", "until": subject}
    if kind in ("headers", "folder"):
        name = name.partition(" ")[2]
    return show(words.get(kind, name), 80)


def _end(checklist: Checklist) -> Iterator[RenderableType]:
    """The counts, what records are of no use, where the evidence is from, and what to do next."""
    yield _counts(checklist)
    if checklist.parts:
        yield Text(f"{parts_words(checklist.parts)}, to be written in the files above", style="cyan")
    if checklist.unknown:
        names = ", ".join(show(name, 60) for name in checklist.unknown[:MOST_SUBJECTS])
        yield Text(f"not in the recipe, and not counted: {names}", style="dim")
    yield Text(origin_words(checklist.origin), style="dim")
    yield from _following(checklist.next)


def _counts(checklist: Checklist) -> Text:
    return Text(checklist.summary(), style="bold green" if checklist.complete else "bold")


def _following(following: Next) -> Iterator[RenderableType]:
    yield next_line(show(following.command)) if following.command else Text("Next, by hand:")
    yield _fact(f"step {following.step}, {show(following.text, 500)}")
    if following.first:
        yield _fact(f"before that, yourself: {show(following.first, 300)}")
    if following.all:
        yield _fact(f"or all that a program can do: {show(following.all)}")

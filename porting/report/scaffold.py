"""The terminal rendering of a new working folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from porting.scaffold.result import Scaffold


def _near(candidate: Any) -> Iterator[Text]:
    """An architecture with its evidence; one that fits wholly says so aloud."""
    unmodified = candidate.verdict == "unmodified"
    yield Text(f"near  {show(candidate.model_type)}: {candidate.statement()}", style="bold red" if unmodified else "")
    if unmodified:
        load = f"{candidate.class_name} with {', '.join(f'{k}={v}' for k, v in candidate.config.items())}"
        yield Text(f"      Try it first, before anything is written: {show(load, 400)}", style="bold")
    for what, lines in (("no place for", candidate.left), ("nothing fills", candidate.empty)):
        yield from (Text(f"      {what} {show(line)}", style="dim") for line in lines)


def render_scaffold(scaffold: Scaffold) -> RenderableType:
    """What was done, what is left, the nearest architectures and the next commands."""
    lines: list[RenderableType] = [Text(show(each, 1000), style="bold") for each in scaffold.advice]
    lines += [line for each in scaffold.nearest for line in _near(each)]
    if scaffold.folder is None:
        return Group(*lines)
    lines += [Text.assemble(("done  ", "green"), show(each, 500)) for each in scaffold.done]
    lines += [Text.assemble(("tried ", "yellow"), show(each, 500)) for each in scaffold.troubles]
    lines += [
        Text.assemble(("you   ", "cyan"), f"{show(os.path.relpath(each.file))}:{each.line}  {show(each.what, 300)}")
        for each in scaffold.left
    ]
    lines.append(Text(scaffold.summary(), style="bold"))
    lines.append(Text(f"Next: {' && '.join(map(show, scaffold.next))}"))
    return Group(*lines)

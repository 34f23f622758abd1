"""The terminal rendering of a new working folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from porting.nearest.result import conclusion
from porting.report.detail import next_line
from porting.report.nearest import render_nearest
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from porting.scaffold.result import Scaffold


def _loudly(scaffold: Scaffold) -> Iterator[Text]:
    """That there may be nothing to port, where the nearest architecture has every tensor's place."""
    for each in scaffold.nearest[:1]:
        if each.unmodified:
            name = each.proof.class_name if each.proof else each.class_name
            text = f"Try {show(name)} first, before anything is written: an unmodified model needs no port"
            yield Text(text, style="bold red")


def render_scaffold(scaffold: Scaffold) -> RenderableType:
    """What was done, what is left, the nearest architectures and the next commands."""
    lines: list[RenderableType] = [Text(show(each, 1000), style="bold") for each in scaffold.advice]
    if scaffold.folder is None:
        return Group(render_nearest(scaffold.nearest), *_loudly(scaffold))
    if scaffold.nearest:
        lines += [Text.assemble(("near  ", "magenta"), conclusion(scaffold.nearest)), *_loudly(scaffold)]
    lines += [Text.assemble(("done  ", "green"), show(each, 500)) for each in scaffold.done]
    lines += [Text.assemble(("tried ", "yellow"), show(each, 500)) for each in scaffold.troubles]
    lines += [
        Text.assemble(("you   ", "cyan"), f"{show(os.path.relpath(path))}:{part.line}  {show(part.what, 400)}")
        for path, part in scaffold.parts
    ]
    lines.append(Text(scaffold.summary(), style="bold"))
    lines.append(next_line(" && ".join(map(show, scaffold.next))))
    return Group(*lines)

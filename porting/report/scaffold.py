"""The terminal rendering of a new working folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from porting.text import show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from porting.scaffold.result import Scaffold


def render_scaffold(scaffold: Scaffold) -> RenderableType:
    """What was done, what is left, the nearest architectures and the next commands."""
    lines: list[RenderableType] = [Text(show(each, 1000), style="bold") for each in scaffold.advice]
    lines += list(scaffold.nearest)
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

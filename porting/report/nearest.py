"""The nearest architectures in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from porting.nearest.result import conclusion
from porting.text import show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from porting.nearest.result import Candidate

STYLES = {"unmodified": "bold green", "near": "yellow", "far": "dim"}
TIED, SETTINGS = 8, 10
"""How many model types that fit as well, and settings, are shown."""


def render_nearest(candidates: Sequence[Candidate]) -> RenderableType:
    """What all say in a sentence, then each with its evidence in a few lines."""
    return Group(Text(conclusion(candidates), style="bold"), *(_candidate(each) for each in candidates))


def _candidate(each: Candidate) -> RenderableType:
    head = Text.assemble(
        (show(each.model_type), "bold"),
        f" ({show(each.class_name)}): ",
        (each.verdict, STYLES[each.verdict]),
        f", {each.placed:,} of {each.tensors:,} tensors have a place, {each.filled:,} of {each.kinds:,} kinds of its "
        f"tensors are filled, names agree by {each.names:.0%}",
    )
    settings = [f"{show(name, 60)}={value}" for name, value in list(each.config.items())[:SETTINGS]]
    lines = [
        ("as its shapes tell", ", ".join(settings)),
        ("no place for", "; ".join(each.left)),
        ("nothing for", "; ".join(each.empty)),
        ("on the way", "; ".join(each.ways)),
        (
            "converted already",
            f"{each.converted[0]} of {each.converted[1]} kinds of names" if each.converted[0] else "",
        ),
        ("fits as well", _some([show(name, 60) for name in each.tied])),
    ]
    return Group(head, *(Padding(Text(f"{what}: {text}"), (0, 0, 0, 2)) for what, text in lines if text))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - TIED} more" if len(names) > TIED else ""
    return ", ".join(names[:TIED]) + more

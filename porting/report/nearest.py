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
SETTINGS = 10
"""How many settings are shown."""


def render_nearest(candidates: Sequence[Candidate]) -> RenderableType:
    """What all say in a sentence, then each with its evidence in a few lines, but for those that fit just as well."""
    tied = {name for each in candidates[:1] for name in each.tied}
    apart = [each for each in candidates if each.model_type not in tied]
    return Group(Text(conclusion(candidates), style="bold"), *(_candidate(each) for each in apart))


def _built(each: Candidate) -> list[tuple[str, str]]:
    """What a model shows that is not exactly the checkpoint."""
    if each.proof is None or each.proof.exact:
        return []
    told = [("built", each.proof.statement())]
    if each.proof.telling:
        told += [
            ("no place in that for", "; ".join(each.proof.of_left)),
            ("and nothing for", "; ".join(each.proof.of_empty)),
        ]
    return told


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
        *_built(each),
        (
            "converted already",
            f"{each.converted[0]} of {each.converted[1]} kinds of names" if each.converted[0] else "",
        ),
    ]
    return Group(head, *(Padding(Text(f"{what}: {text}"), (0, 0, 0, 2)) for what, text in lines if text))

"""Culprits in the terminal: where, why, what to change, and what is known where nothing was proven."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from porting.report.figures import digits
from porting.text import show

if TYPE_CHECKING:
    from porting.diagnosis import Culprit

MOST_CULPRITS = 5
MOST_ALIKE = 3


def culprit_texts(culprits: Sequence[Culprit]) -> Iterable[Text]:
    """Each culprit with its causes; those with the very same proven cause together."""
    kinds = list(_alike(culprits))
    for alike in kinds[:MOST_CULPRITS]:
        yield from _block(alike)
    rest = [culprit for alike in kinds[MOST_CULPRITS:] for culprit in alike]
    if rest:
        yield Text(f"and {len(rest)} more: {_names(rest)}", style="red")


def _alike(culprits: Sequence[Culprit]) -> Iterable[list[Culprit]]:
    found: dict[tuple[str, ...], list[Culprit]] = {}
    for culprit in culprits:
        cause = culprit.proven
        key = ("", culprit.ported) if cause is None else (cause.code, cause.summary)
        found.setdefault(key, []).append(culprit)
    return found.values()


def _block(alike: Sequence[Culprit]) -> Iterator[Text]:
    culprit = alike[0]
    ratio = culprit.noise_ratio
    size = f", {digits(ratio)} times the noise floor" if ratio else ", where rounding explains nothing"
    yield Text(f"Culprit: {show(culprit.ported or '(the model itself)')}  [{culprit.where}{size}]", style="bold red")
    if len(alike) > 1:
        count = len(alike) - 1
        yield Text(f"    the same at {count} more module{'s' if count > 1 else ''}: {_names(alike[1:])}")
    if culprit.source is not None and not str(culprit.source).startswith("torch/"):
        yield Text(f"    its forward: {show(str(culprit.source), 120)}", style="dim")
    if culprit.proven is None:
        yield from (Text(f"    {show(difference, 400)}") for difference in culprit.differences)
    else:
        yield Text(f"    {show(culprit.differences[-1], 400)}")
    yield from _causes(culprit)


def _causes(culprit: Culprit) -> Iterator[Text]:
    for cause in culprit.causes:
        if cause.verified:
            after = f"proven: with the repair, {digits(cause.max_abs_after)} is left"
            yield Text(f"    Cause: {cause.code}  ({after})", style="bold")
        elif culprit.proven is None:
            yield Text(f"    Perhaps: {cause.code}  (not proven)", style="yellow")
        else:
            continue
        yield Text(f"        {show(cause.summary, 400)}")
        yield Text(f"        Fix: {show(cause.fix, 400)}", style="green" if cause.verified else "")


def _names(culprits: Sequence[Culprit]) -> str:
    names = ", ".join(show(culprit.ported or "(the model itself)") for culprit in culprits[:MOST_ALIKE])
    return names + (" …" if len(culprits) > MOST_ALIKE else "")

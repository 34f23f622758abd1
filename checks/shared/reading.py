"""Claims about a port's files that are read line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Skip
from porting.checks.shared.wording import listed
from porting.checks.shared.working import modeling_of
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from porting.checks.shared.context import CheckContext
    from porting.conventions.files import Source


def require_none_written(
    context: CheckContext, find: Callable[[Source], Sequence[tuple[int, str]]], what_to_do: str
) -> Figures:
    """Require that nothing is found in the port's files; what was accepted with Transformers is not held against it.

    Args:
        context: of the port.
        find: line and words of each place in a file.
        what_to_do: about them.

    Raises:
        ClaimRefuted: something is found.
        Skip: it is, in a file that came with Transformers.
        Lacking: the port is not written in a ``modeling_*.py``.
    """
    from porting.conventions.files import files_of, is_shipped

    path = modeling_of(context)
    sources = files_of(path)
    context.reads(*(source.path for source in sources))
    lines = [f"  {source.at(line)} {words}" for source in sources for line, words in find(source)]
    figures: Figures = {"files": len(sources), "places": len(lines)}
    if not lines:
        return figures
    if is_shipped(path):
        raise Skip(f"{show(path.name)} came with Transformers, which has accepted it: {lines[0].strip()}")
    raise ClaimRefuted(
        f"{lines[0].strip()}\n{listed(lines)}",
        hint=f"{what_to_do}, then: {context.command('check')}",
        figures=figures,
    )

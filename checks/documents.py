"""Step 11 of the recipe: the port is documented."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.shared.checking import run_checkers
from porting.checks.shared.outcomes import ClaimRefuted, Figures
from porting.checks.shared.wording import listed
from porting.checks.shared.working import modeling_of
from porting.text import show

if TYPE_CHECKING:
    from pathlib import Path

    from porting.checks.shared.context import CheckContext

STEP = 11


def check_docstrings(context: CheckContext) -> Figures:
    """Every public model class of the port's file has a docstring, and so has its ``forward``.

    Recipe step 11. ``@auto_docstring`` writes one. Of a file that came with Transformers only the port's own class is
    looked at, and one of the two is enough, as Transformers has accepted that.

    Raises:
        ClaimRefuted: one has none.
        Skip: the port is not written in a ``modeling_*.py``.
    """
    from porting.conventions.documents import undocumented
    from porting.conventions.files import files_of, is_shipped

    path = modeling_of(context)
    only = type(context.ported_model).__name__ if is_shipped(path) else None
    sources = files_of(path)
    lines = [f"  {source.at(line)} {words}" for source in sources for line, words in undocumented(source, only)]
    _refute(context, path, lines, "write one, or put @auto_docstring on it")
    return {"files": len(sources)}


def check_no_placeholders(context: CheckContext) -> Figures:
    """Nothing in the port's files was left to be filled in.

    Recipe step 11: names of a template (``{{ … }}``, ``<INSERT …>``, ``brand_new_bert``), docstrings that are still to
    be written, functions whose body is ``...``.

    Raises:
        ClaimRefuted: something was.
        Skip: the port is not written in a ``modeling_*.py``.
    """
    from porting.conventions.documents import placeholders
    from porting.conventions.files import files_of

    path = modeling_of(context)
    sources = files_of(path)
    lines = [f"  {source.at(line)} {words}" for source in sources for line, words in placeholders(source)]
    _refute(context, path, lines, "write what belongs there")
    return {"files": len(sources), "lines": sum(len(source.text.splitlines()) for source in sources)}


def check_repository_documents(context: CheckContext) -> Figures:
    """The checkout's own checkers of documents find nothing in the port: docstrings, table of contents, doctests.

    Recipe, "today's way": ``make check-repo``.

    Raises:
        ClaimRefuted: one finds something in the port.
        Inconclusive: one objects, and does not say to what.
        Skip: the port came with Transformers, or its checkout has no such checkers.
        Lacking: the port lies in no checkout, or a checker could not be run.
    """
    return run_checkers(context, STEP)


CHECKS = (check_docstrings, check_no_placeholders, check_repository_documents)


def _refute(context: CheckContext, path: Path, lines: list[str], what_to_do: str) -> None:
    if lines:
        raise ClaimRefuted(
            f"{lines[0].strip()}; {len(lines)} places in the files of {show(path.name)}\n{listed(lines)}",
            hint=f"{what_to_do}, then: {context.command('check')}",
            figures={"places": len(lines)},
        )

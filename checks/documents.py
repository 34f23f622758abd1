"""Step 11 of the recipe: the port is documented."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.publishing import require_right, require_written, text_of
from porting.checks.shared.checking import run_checkers
from porting.checks.shared.outcomes import ClaimRefuted, Figures
from porting.checks.shared.wording import listed
from porting.checks.shared.working import modeling_of
from porting.evidence.asking import note
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
    only = context.ported_kind.__name__ if is_shipped(path) else None
    sources = files_of(path)
    context.reads(*(source.path for source in sources))
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
    context.reads(*(source.path for source in sources))
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


def check_doc_page(context: CheckContext) -> Figures:
    """The model has a page whose entries exist, with nothing left to be written; in a checkout it is in the toctree.

    Recipe step 11: ``docs/source/en/model_doc/NAME.md`` of the checkout of Transformers that the port is written in,
    else ``docs/NAME.md`` beside the portfile. Models akin to each other may share a page.

    Raises:
        ClaimRefuted: an entry does not exist, the port has none, the line of dates or the entry in the toctree is
            missing, or a template's word is left.
        Lacking: there is no page, or parts of it are left to be written.
    """
    from porting.documents.page import found_page
    from porting.documents.port import Port
    from porting.documents.reading import left_in, page_faults, read_document
    from porting.documents.toctree import has_entry

    port = Port(context.portfile, context.ported_structure)
    path = found_page(port)
    text = text_of(context, path, "page")
    require_written(context, path, left_in(text), "page")
    found = list(page_faults(text, port.kind))
    if port.checkout is not None and path.parent == port.checkout.pages:
        note(f"path {port.checkout.toctree}")
        toctree = read_document(port.checkout.toctree)
        if toctree is not None and not has_entry(toctree, path.stem):
            found.append(f"{show(port.checkout.toctree.name)} has no entry of it")
    require_right(path, found, f"mend {show(path.name)}, then: {context.command('check check_doc_page')}")
    return {"lines": len(text.splitlines())}


CHECKS = (check_docstrings, check_no_placeholders, check_doc_page, check_repository_documents)


def _refute(context: CheckContext, path: Path, lines: list[str], what_to_do: str) -> None:
    if lines:
        raise ClaimRefuted(
            f"{lines[0].strip()}; {len(lines)} places in the files of {show(path.name)}\n{listed(lines)}",
            hint=f"{what_to_do}, then: {context.command('check')}",
            figures={"places": len(lines)},
        )

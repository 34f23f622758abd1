"""Step 5 of the recipe: the port is written as Transformers' models are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.shared.checking import run_checkers
from porting.checks.shared.outcomes import ClaimRefuted, Figures, Lacking, Skip
from porting.checks.shared.wording import listed
from porting.checks.shared.working import modeling_of, python_files, test_files
from porting.evidence.asking import note
from porting.text import show

if TYPE_CHECKING:
    from pathlib import Path

    from porting.checks.shared.context import CheckContext

STEP = 5


def check_structure(context: CheckContext) -> Figures:
    """A model stands at most two classes above ``PreTrainedModel``, and takes no code from other models' files.

    Recipe step 5. A modular file is made of other models; what is generated from it is not. Code of another model is
    copied with ``# Copied from``.

    Raises:
        ClaimRefuted: there are more levels, or an import.
        Skip: the port is not written in a ``modeling_*.py``, or Transformers has accepted it as it is.
    """
    from transformers import PreTrainedModel

    from porting.conventions.files import files_of
    from porting.conventions.structure import MOST_LEVELS, foreign_imports, levels, names_of

    path = modeling_of(context)
    way = levels(context.ported_kind, PreTrainedModel)
    figures: Figures = {"levels": len(way), "file": path.name}
    lines = [f"  {len(way)} levels of inheritance: {names_of(way)}"] if len(way) > MOST_LEVELS else []
    sources = files_of(path)
    context.reads(*(source.path for source in sources))
    for source in sources:
        lines += [f"  {source.at(line)} {words}" for line, words in foreign_imports(source)]
    _refute(context, path, lines, "a model's file stands for itself", figures)
    return figures


def check_mlinter(context: CheckContext) -> Figures:
    """mlinter, Transformers' own linter for model files, finds nothing in the port's.

    Recipe, "today's way": ``make style`` and the checks of a pull request run it, too. A checkout that brings a linter
    of its own holds its models to the rules of that.

    Raises:
        ClaimRefuted: it finds something.
        Skip: the port is not written in a ``modeling_*.py``, or came with Transformers.
        Lacking: mlinter is not installed, or is newer than Transformers' and finds something, which may be new.
    """
    from porting.checkout import find_checkout
    from porting.conventions.files import files_of, is_shipped
    from porting.linting.mlinter import INSTALL, RULES, is_installed, lint, newer_than, rules_of

    path = modeling_of(context)
    if is_shipped(path):
        raise Skip(f"{show(path.name)} came with Transformers, which lints its own files")
    if not is_installed():
        raise Lacking(f"mlinter is not installed: {INSTALL}", hint=INSTALL)
    paths = [source.path for source in files_of(path)]
    context.reads(*paths)
    checkout = find_checkout(path)
    note("version transformers_mlinter")
    if checkout is not None:
        context.reads(checkout.root / RULES)
    rules = None if checkout is None else rules_of(checkout, path.parent.name)
    found = [each for each in lint(paths) if rules is None or each.rule in rules]
    figures: Figures = {"files": len(paths), "findings": len(found)}
    lines = [f"  line {each.line}: {show(each.rule)} {show(each.message, 300)}" for each in found]
    if lines and rules is None and (pinned := newer_than()):
        raise Lacking(
            f"mlinter is newer than the {show(pinned)} of Transformers, and has findings: "
            f"{lines[0].strip()}\n{listed(lines)}",
            hint=f"{INSTALL}=={show(pinned)}",
            figures=figures,
        )
    _refute(context, path, lines, "mlinter has findings", figures)
    return figures


def check_ruff(context: CheckContext) -> Figures:
    """ruff, with Transformers' settings, finds nothing in the port's files and tests, nor lays them out otherwise.

    Recipe, "today's way": ``make style``. In a checkout its own settings hold.

    Raises:
        ClaimRefuted: it finds something.
        Skip: the port is not written in a ``modeling_*.py``, or came with Transformers.
        Lacking: ruff is not installed, or of another version than Transformers uses, which may find something else.
    """
    from porting.checkout import find_checkout
    from porting.conventions.files import is_shipped
    from porting.linting.ruff import INSTALL, find_ruff, find_with_ruff, pinned_version, version_of

    path = modeling_of(context)
    if is_shipped(path):
        raise Skip(f"{show(path.name)} came with Transformers, which lints its own files")
    ruff = find_ruff()
    if ruff is None:
        raise Lacking("ruff is not installed", hint=INSTALL)
    checkout = find_checkout(path)
    paths = [*python_files(path), *test_files(context, path)]
    context.reads(*paths)
    root, own = (path.parent, None) if checkout is None else (checkout.root, checkout.root / "pyproject.toml")
    note("version ruff", *([] if own is None else [f"path {own.absolute()}"]))
    found = find_with_ruff(ruff, paths, root, own)
    version, pinned = version_of(ruff), pinned_version() or ""
    figures: Figures = {"files": len(paths), "findings": len(found), "ruff": version}
    if not found:
        return figures
    lines = [f"  {show(each.path.name)}:{each.line} {show(each.rule)} {show(each.message)}" for each in found]
    if pinned not in ("", version) and not any(each.is_lasting for each in found):
        raise Lacking(
            f"ruff {show(version)} has findings that ruff {show(pinned)}, which Transformers uses, may not have: "
            f"{lines[0].strip()}\n{listed(lines)}",
            hint=f"pip install ruff=={show(pinned)}",
            figures=figures,
        )
    raise ClaimRefuted(
        f"ruff has findings: {lines[0].strip()}\n{listed(lines)}",
        hint=f"make style (in a checkout), or mend them, then: {context.command('check ruff')}",
        figures=figures,
    )


def check_repository_conventions(context: CheckContext) -> Figures:
    """The checkout's own checkers of code find nothing in the port: copies, modular files, inits, configs.

    Recipe, "today's way": ``make check-repo``. Each script of ``utils/`` runs as it is, and writes nothing; what it
    finds in other models is theirs.

    Raises:
        ClaimRefuted: one finds something in the port.
        Inconclusive: one objects, and does not say to what.
        Skip: the port came with Transformers, or its checkout has no such checkers.
        Lacking: the port lies in no checkout, or a checker could not be run.
    """
    return run_checkers(context, STEP)


CHECKS = (check_structure, check_mlinter, check_ruff, check_repository_conventions)


def _refute(context: CheckContext, path: Path, lines: list[str], what: str, figures: Figures) -> None:
    from porting.conventions.files import is_shipped

    if not lines:
        return
    if is_shipped(path):
        raise Skip(f"{show(path.name)} came with Transformers, which has accepted it: {lines[0].strip()}")
    raise ClaimRefuted(
        f"{show(path.name)}: {what}: {lines[0].strip()}\n{listed(lines)}",
        hint=f"mend {show(path.name)}, then: {context.command('check')}",
        figures=figures,
    )

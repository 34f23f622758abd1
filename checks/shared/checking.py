"""The checkers of a checkout, as claims about one port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Inconclusive, Lacking, Skip
from porting.checks.shared.wording import listed
from porting.checks.shared.working import own_checkout, python_files, test_files
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from porting.checks.shared.context import CheckContext
    from porting.linting.checkers import Said

INSTALL = (
    'in the checkout: pip install -e ".[quality]"; if models are imported that need more: pip install -e ".[dev]"'
)
ROOM = "they run in a copy of the checkout: make room for it, or name another folder for such with TMPDIR"
TABLES = ("__init__.py", "auto/configuration_auto.py", "auto/modeling_auto.py")
"""Where models are registered."""


def run_checkers(context: CheckContext, step: int) -> Figures:
    """Run the checkers of a step that the port's checkout has.

    Raises:
        ClaimRefuted: one finds something in the port.
        Inconclusive: one objects, and does not say to what.
        Skip: the port came with Transformers, or its checkout has no such checkers.
        Lacking: the port lies in no checkout, or a checker could not be run.
    """
    from porting.environment.repository import RepositoryError
    from porting.linting.naming import Naming
    from porting.linting.registry import LIST, checkers_of
    from porting.linting.running import run_checkers_of

    checkout, path = own_checkout(context)
    checkers = checkers_of(checkout, step)
    if not checkers:
        raise Skip(f"the checkout {show(checkout.root)} has no checkers of this in utils/")
    pages = (checkout.doc_page(path.parent.name), checkout.toctree)
    tables = (checkout.package / "models" / each for each in TABLES)
    scripts = (checkout.root / LIST, *(checkout.root / "utils" / each.script for each in checkers))
    context.reads(*python_files(path), *test_files(context, path), *pages, *tables, *scripts)
    try:
        said = run_checkers_of(checkout, Naming.of(path.parent), checkers)
    except (RepositoryError, OSError) as error:
        what = f"the checkers of {show(checkout.root)} cannot be run: {show(error, 300)}"
        raise Lacking(what, hint=getattr(error, "hint", "") or ROOM) from error
    figures = {each.script: each.status for each in said}
    _refute(context, said, {each.script: each.fix for each in checkers}, figures)
    for each in said:
        if each.status == "unable":
            raise Lacking(f"utils/{each.script} could not be run: {each.lines[0]}", hint=INSTALL, figures=figures)
    for each in said:
        if each.status == "unclear":
            raise Inconclusive(
                f"utils/{each.script} objects, and names no model: {each.lines[0]}",
                hint=f"see: python utils/{each.script}",
                figures=figures,
            )
    return figures


def _refute(context: CheckContext, said: list[Said], fixes: Mapping[str, str | None], figures: Figures) -> None:
    finding = [each for each in said if each.status == "findings"]
    if not finding:
        return
    lines = [f"  utils/{each.script}: {line}" for each in finding for line in each.lines]
    commands = "; ".join(dict.fromkeys(fix for each in finding if (fix := fixes[each.script])))
    by_hand = "mend them by hand" if not commands else f"in the checkout: {commands}; what is left by hand"
    raise ClaimRefuted(
        f"{lines[0].strip()}\n{listed(lines)}", hint=f"{by_hand}, then: {context.command('check')}", figures=figures
    )

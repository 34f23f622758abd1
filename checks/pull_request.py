"""Step 14 of the recipe: the branch is ready for a pull request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from porting.checks.shared.checking import run_checkers
from porting.checks.shared.outcomes import ClaimRefuted, Figures, Lacking
from porting.checks.shared.wording import listed
from porting.checks.shared.working import repository_of, working_checkout
from porting.evidence.asking import note
from porting.evidence.moments import until
from porting.text import show

if TYPE_CHECKING:
    from pathlib import Path

    from porting.checks.shared.context import CheckContext
    from porting.environment.repository import Repository

STEP = 14
MOST_BEHIND = 200
"""Commits that a branch may lack: about a week of Transformers."""
MOST_DAYS = 7.0
"""After so many days, what was fetched says little of what is there."""
ADDED = ("src/", "tests/", "docs/")
"""Folders of a checkout in which a new file belongs to what is added."""


def check_repository_state(context: CheckContext) -> Figures:
    """The checkout's own checkers of the whole find nothing in the port: it is tested, documented and registered.

    Recipe, "today's way": ``make check-repo``.

    Raises:
        ClaimRefuted: one finds something in the port.
        Inconclusive: one objects, and does not say to what.
        Skip: the port came with Transformers, or its checkout has no such checkers.
        Lacking: the port lies in no checkout, or a checker could not be run.
    """
    return run_checkers(context, STEP)


def check_tree_clean(context: CheckContext) -> Figures:
    """Everything that was changed in the checkout, or added to its code, tests and documents, is committed.

    Recipe step 14. New files elsewhere, as those of a working folder, are left alone.

    Raises:
        ClaimRefuted: something is not.
        Lacking: there is no checkout, or git cannot read it.
    """
    from porting.evidence.records import FILE

    repository = repository_of(working_checkout(context))
    open_ones = [
        (state, path)
        for state, path in repository.changed
        if (state != "??" or path.startswith(ADDED)) and path.rpartition("/")[2] != FILE
    ]
    spoken = [*(repository.root / path for _, path in open_ones), *_brought(repository)]
    context.reads(repository.own_file("logs/HEAD"), *(path for path in spoken if path.name != FILE))
    figures: Figures = {"uncommitted": len(open_ones)}
    if open_ones:
        lines = [f"  {'new' if state == '??' else 'changed'}: {show(path)}" for state, path in open_ones]
        raise ClaimRefuted(
            f"{len(open_ones)} files of the checkout are not committed: {lines[0].strip()}\n{listed(lines)}",
            hint="git add and git commit what belongs to the port, or git restore it",
            figures=figures,
        )
    return figures


def check_branch_up_to_date(context: CheckContext) -> Figures:
    """The branch merges with Transformers' main branch as it was fetched this week, and lacks little of it.

    Recipe step 14. The network is not asked.

    Raises:
        ClaimRefuted: it conflicts, lacks more than 200 commits, or has nothing in common with it.
        Lacking: there is no checkout, or what it has of the main branch is missing, shallow or older.
    """
    from porting.environment.remotes import UPSTREAM, upstream_of

    repository = repository_of(working_checkout(context))
    remote = upstream_of(repository.remotes)
    if remote is None:
        raise Lacking(
            f"none of the remotes is {UPSTREAM}", hint=f"git remote add upstream https://github.com/{UPSTREAM}.git"
        )
    main, fetch = f"refs/remotes/{remote}/main", f"git fetch {show(remote)} main"
    if not repository.has(main):
        raise Lacking(f"the main branch of {show(remote)} was never fetched", hint=fetch)
    context.reads(repository.own_file("logs/HEAD"), repository.own_file(f"logs/{main}"))
    days = repository.days_since_fetch(remote)
    if days is not None:
        note(until(datetime.now(UTC) + timedelta(days=MOST_DAYS - days)))
    return _up_to_date(repository, main, days, fetch)


CHECKS = (check_repository_state, check_tree_clean, check_branch_up_to_date)


def _brought(repository: Repository) -> tuple[Path, ...]:
    """The files of the branch; none where Transformers' main branch is not known."""
    from porting.environment.remotes import upstream_of

    main = f"refs/remotes/{upstream_of(repository.remotes)}/main"
    return repository.brought(main) if repository.has(main) and repository.is_related(main) else ()


def _up_to_date(repository: Repository, main: str, days: float | None, fetch: str) -> Figures:
    merge = f"{fetch}, then: git merge {main.removeprefix('refs/remotes/')}"
    if not repository.is_related(main):
        if repository.is_shallow:
            raise Lacking("the clone is shallow, so that git cannot compare the branches", hint=f"{fetch} --unshallow")
        raise ClaimRefuted("the branch has no commit in common with Transformers' main branch", hint="start it there")
    behind, conflicts = repository.missing(main), repository.conflicts(main)
    figures: Figures = {
        "behind": behind,
        "conflicts": None if conflicts is None else len(conflicts),
        "days_since_fetch": None if days is None else round(days, 1),
    }
    if conflicts:
        names = ", ".join(show(each) for each in conflicts[:5])
        raise ClaimRefuted(
            f"the branch conflicts with Transformers' main branch in {len(conflicts)} files: {names}",
            hint=merge,
            figures=figures,
        )
    if behind > MOST_BEHIND:
        raise ClaimRefuted(
            f"the branch lacks {behind} commits of Transformers' main branch", hint=merge, figures=figures
        )
    if days is None or days > MOST_DAYS:
        when = "at a time that is not known" if days is None else f"{days:.0f} days ago"
        raise Lacking(f"Transformers' main branch was last fetched {when}", hint=fetch, figures=figures)
    return figures

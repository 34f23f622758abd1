"""Step 2 of the recipe: the environment in which a model is added to Transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Lacking
from porting.checks.shared.working import clone_hint, repository_of, working_checkout
from porting.evidence.asking import note
from porting.text import show

if TYPE_CHECKING:
    from porting.checks.shared.context import CheckContext

STEP = 2
MAIN = ("main", "master")
"""Branches on which nobody works."""


def check_versions(_context: CheckContext) -> Figures:
    """Python, torch, Transformers and pytest are of versions that are supported.

    Recipe step 2.

    Raises:
        ClaimRefuted: one is of another version.
        Lacking: a package is not installed.
    """
    from porting.environment.versions import versions

    found = versions()
    note(*(f"version {each.name}" for each in found))
    figures: Figures = {each.name: each.found for each in found}
    for each in found:
        if each.found is None:
            raise Lacking(
                f"{each.name} is not installed", hint=f'pip install "{each.name}{each.wanted}"', figures=figures
            )
        if not each.is_supported:
            raise ClaimRefuted(
                f"{each.name} is {show(each.found)}, and what is supported is {each.wanted}",
                hint=f'pip install "{each.name}{each.wanted}"'
                if each.name != "Python"
                else f"use Python {each.wanted}",
                figures=figures,
            )
    return figures


def check_editable_checkout(context: CheckContext) -> Figures:
    """``import transformers`` takes its code from a git checkout, the one in which the model is added.

    Recipe step 2. A checkout that is installed with ``pip install -e .``, or stands on the search path.

    Raises:
        ClaimRefuted: the portfile lies in a checkout, and Transformers is imported from somewhere else.
        Lacking: Transformers is an installed package, and there is no checkout; or the checkout is no repository.
    """
    from porting.checkout import find_checkout, installed_checkout

    installed, around = installed_checkout(), find_checkout(context.portfile.folder)
    if around is not None and (installed is None or installed.root.resolve() != around.root.resolve()):
        where = "an installed package" if installed is None else show(installed.root)
        raise ClaimRefuted(
            f"import transformers takes {where}, and not the checkout {show(around.root)}, in which the portfile lies",
            hint=f"pip install -e {show(around.root)}",
        )
    if installed is None:
        raise Lacking("import transformers takes an installed package, and no checkout", hint=clone_hint())
    repository_of(installed)
    context.reads(installed.package / "__init__.py")
    return {"checkout": str(installed.root)}


def check_branch_and_remote(context: CheckContext) -> Figures:
    """The checkout is on a branch of its own, and has Transformers itself and a fork of it as remotes.

    Recipe step 2. The network is not asked.

    Raises:
        ClaimRefuted: it is on ``main`` or on no branch, or one of the two remotes is missing.
        Lacking: there is no checkout, or git cannot read it.
    """
    from porting.environment.remotes import UPSTREAM, fork_of, upstream_of

    repository = repository_of(working_checkout(context))
    context.reads(repository.own_file("HEAD"), repository.own_file("config"))
    branch, remotes = repository.branch, repository.remotes
    upstream, fork = upstream_of(remotes), fork_of(remotes)
    figures: Figures = {"branch": branch, "upstream": upstream, "fork": fork}
    if branch is None or branch in MAIN:
        where = "on no branch" if branch is None else f"on {branch}"
        raise ClaimRefuted(
            f"the checkout {show(repository.root)} is {where}, and a model is added on a branch of its own",
            hint="git switch -c add-the-model",
            figures=figures,
        )
    if upstream is None:
        raise ClaimRefuted(
            f"none of the remotes of {show(repository.root)} is {UPSTREAM}",
            hint=f"git remote add upstream https://github.com/{UPSTREAM}.git",
            figures=figures,
        )
    if fork is None:
        raise ClaimRefuted(
            f"the only remote of {show(repository.root)} is {UPSTREAM}: there is no fork to push to",
            hint=f"fork https://github.com/{UPSTREAM}, then: git remote add origin THE-FORK",
            figures=figures,
        )
    return figures


CHECKS = (check_versions, check_editable_checkout, check_branch_and_remote)

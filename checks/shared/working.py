"""Where the port is written: its files, and the checkout of Transformers that they lie in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import Lacking
from porting.text import show

if TYPE_CHECKING:
    from porting.checkout import Checkout
    from porting.checks.shared.context import CheckContext
    from porting.environment.repository import Repository


def clone_hint() -> str:
    """How a checkout is made."""
    return "clone your fork of https://github.com/huggingface/transformers, then in the clone: pip install -e ."


def working_checkout(context: CheckContext) -> Checkout:
    """The checkout in which a model is added: the one that is imported, or in which the portfile lies.

    Raises:
        Lacking: there is none.
    """
    from porting.checkout import find_checkout, installed_checkout

    found = installed_checkout() or find_checkout(context.portfile.folder)
    if found is None:
        raise Lacking("there is no checkout of Transformers", hint=clone_hint())
    return found


def repository_of(checkout: Checkout) -> Repository:
    """The git repository that a checkout is.

    Raises:
        Lacking: git cannot read it, or it is none.
    """
    from porting.environment.repository import Repository, RepositoryError

    try:
        return Repository.at(checkout.root)
    except RepositoryError as error:
        raise Lacking(
            f"the checkout {show(checkout.root)} is no repository that git reads: {error.message}", hint=clone_hint()
        ) from error

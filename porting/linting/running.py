"""The checkers of a checkout, run on a copy of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from porting.checkout import Checkout
from porting.linting.checkers import Said, run_checker
from porting.linting.copying import changed_in, copied, restore
from porting.linting.mending import changes_in
from porting.linting.naming import Naming
from porting.linting.registry import Checker


def run_checkers_of(checkout: Checkout, naming: Naming, checkers: Iterable[Checker]) -> list[Said]:
    """What checkers say of a model, and of all the checkout where they do not look at models one by one.

    Each runs in one copy of the checkout, which is left as it is. Of one that objects and names nothing, the fix is
    run there, too, and what that changes is what it objects to.

    Args:
        checkout: that the model is added to.
        naming: what the model is called.
        checkers: of the checkout.

    Raises:
        RepositoryError: git is missing, or cannot make the copy.
        OSError: the checkout cannot be copied.
        ChildError: Python cannot be started.
    """
    name = naming.name
    own = (checkout.model_folder(name), checkout.tests_folder(name), checkout.doc_page(name))
    with copied(checkout, own) as copy:
        return [_run(each, copy, naming) for each in checkers]


def _run(checker: Checker, copy: Checkout, naming: Naming) -> Said:
    said = run_checker(_narrowed(checker, copy, naming.name), copy, naming)
    if said.status == "unclear" and checker.fixing is not None:
        run_checker(replace(checker, arguments=checker.fixing), copy, naming)
        changes = list(changes_in(changed_in(copy)))
        own = tuple(words for each in changes if (words := each.words_about(naming)))
        if changes:
            said = Said(said.script, "findings", own) if own else replace(said, status="elsewhere")
    restore(copy)
    return said


def _narrowed(checker: Checker, copy: Checkout, name: str) -> Checker:
    """The checker that looks at the model's modular files alone, if it can; those of all that use it take minutes."""
    if checker.narrowing is None:
        return checker
    text = (copy.root / "utils" / checker.script).read_text(encoding="utf-8", errors="replace")
    paths = sorted(path.relative_to(copy.root).as_posix() for path in copy.model_folder(name).glob("modular_*.py"))
    more = (checker.narrowing, *paths) if paths and f'"{checker.narrowing}"' in text else ()
    return replace(checker, arguments=(*checker.arguments, *more))

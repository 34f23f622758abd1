"""The checkers of a checkout, run on a copy of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from porting.checkout import Checkout
from porting.environment.repository import RepositoryError
from porting.linting.checkers import Said, run_checker
from porting.linting.copying import changed_in, copied, keep, restore
from porting.linting.mending import changes_in
from porting.linting.naming import Naming
from porting.linting.registry import Checker
from porting.linting.ruff import find_ruff, lay_out_with_ruff, version_of

PIN = re.compile(r"""["']ruff==(?P<version>[\w.]+)["']""")
"""The ruff with which a checkout is laid out, in its ``setup.py``."""


def run_checkers_of(checkout: Checkout, naming: Naming, checkers: Iterable[Checker]) -> list[Said]:
    """What checkers say of a model, and of all the checkout where they do not look at models one by one.

    Each runs in one copy of the checkout, which is left as it is. Of one that objects and names nothing, the fix is
    run there, too, and what that changes is what it objects to. What only the version of ruff explains is no finding.

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
    text = (copy.root / "utils" / checker.script).read_text(encoding="utf-8", errors="replace")
    narrowed = _narrowed(checker, text, copy, naming.name)
    said = run_checker(narrowed, copy, naming)
    if said.status == "unclear":
        said = _understood(said, narrowed, copy, naming)
    elif said.status == "findings" and "ruff" in text and _laid_out(copy, naming.name):
        said = _same_otherwise(narrowed, copy, naming) or said
    restore(copy)
    return said


def _understood(said: Said, checker: Checker, copy: Checkout, naming: Naming) -> Said:
    """What an objection is about, by what mends it."""
    ended = _mend(checker, copy, naming)
    try:
        changes = list(changes_in(changed_in(copy)))
    except RepositoryError:  # it changes more than can be read
        return said
    own = tuple(words for each in changes if (words := each.words_about(naming)))
    if own:
        return Said(said.script, "findings", own)
    return replace(said, status="elsewhere") if changes and ended else said


def _same_otherwise(checker: Checker, copy: Checkout, naming: Naming) -> Said | None:
    """What a checker says of files that are laid out anew, if its fix changes no more than blank lines; else None."""
    keep(copy)
    _mend(checker, copy, naming)
    again = run_checker(checker, copy, naming)
    return again if again.status == "clean" and not changed_in(copy, blank_lines=False) else None


def _mend(checker: Checker, copy: Checkout, naming: Naming) -> bool:
    """Run the checker's fix; whether there is one that came to its end."""
    return checker.mending is not None and run_checker(checker.mending, copy, naming).status != "unable"


def _laid_out(copy: Checkout, name: str) -> bool:
    """Lay the model's files out with the ruff that is installed, if that is not the checkout's; whether that was done.

    What a checker writes with one ruff and compares with files of another differs for that alone.
    """
    ruff, setup = find_ruff(), copy.root / "setup.py"
    pinned = PIN.search(setup.read_text(encoding="utf-8", errors="replace")) if setup.is_file() else None
    folders = (copy.model_folder(name), copy.tests_folder(name))
    paths = [path for each in folders for path in sorted(each.glob("*.py")) if _is_in(copy, path)]
    if ruff is None or pinned is None or pinned["version"] == version_of(ruff) or not paths:
        return False
    lay_out_with_ruff(ruff, paths, copy.root)
    return True


def _is_in(copy: Checkout, path: Path) -> bool:
    """Whether a file is one of the copy, and no link that leads out of it."""
    return path.resolve().is_relative_to(copy.root)


def _narrowed(checker: Checker, text: str, copy: Checkout, name: str) -> Checker:
    """The checker that looks at the model's modular files alone, if it can; those of all that use it take minutes."""
    paths = sorted(path.relative_to(copy.root).as_posix() for path in copy.model_folder(name).glob("modular_*.py"))
    if checker.narrowing is None or not paths or f'"{checker.narrowing}"' not in text:
        return checker
    return checker.among(paths)

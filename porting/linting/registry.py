"""Which checkers a checkout has: those that its ``utils/checkers.py`` lists, which is only read, or all known ones."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from porting.checkout import Checkout

LIST = Path("utils", "checkers.py")
WHOLE = 14
"""The step of a checker of which nothing is known but that a pull request has to pass it."""
FIX = "--fix_and_overwrite"
"""The option with which most of them mend what they find."""
MOST_BYTES = 1 << 20
SCRIPT = re.compile(r"[A-Za-z]\w*\.py")


@dataclass(frozen=True, slots=True)
class Checker:
    """A script that looks at a checkout.

    Attributes:
        script: in ``utils/``.
        step: of the recipe.
        arguments: with which it only looks.
        fixing: those with which it mends what it finds; None if it cannot.
        narrowing: the option after which it takes the modular files that it is to look at, if it has one.
    """

    script: str
    step: int
    arguments: tuple[str, ...] = ()
    fixing: tuple[str, ...] | None = None
    narrowing: str | None = None

    @property
    def mending(self) -> Checker | None:
        """The script as it mends what it finds; None if it cannot."""
        return None if self.fixing is None else replace(self, arguments=self.fixing)

    def among(self, paths: Sequence[str]) -> Checker:
        """The script as it looks at some modular files alone, or mends these."""
        only = () if self.narrowing is None else (self.narrowing, *paths)
        fixing = None if self.fixing is None else (*self.fixing, *only)
        return replace(self, arguments=(*self.arguments, *only), fixing=fixing)

    @property
    def fix(self) -> str | None:
        """The command that mends what it finds."""
        return None if self.fixing is None else shlex.join(("python", f"utils/{self.script}", *self.fixing))


CHECKERS = (
    Checker("check_copies.py", 5, (), (FIX,)),
    Checker("check_modular_conversion.py", 5, (), (FIX,), "--files"),
    Checker("check_modeling_structure.py", 5),
    Checker("check_inits.py", 5),
    Checker("check_dummies.py", 5, (), (FIX,)),
    Checker("check_config_attributes.py", 5),
    Checker("custom_init_isort.py", 5, ("--check_only",), ()),
    Checker("sort_auto_mappings.py", 5, ("--check_only",), ()),
    Checker("check_docstrings.py", 11, (), (FIX,)),
    Checker("check_config_docstrings.py", 11),
    Checker("check_doc_toc.py", 11, (), (FIX,)),
    Checker("check_doctest_list.py", 11, (), (FIX,)),
    Checker("check_repo.py", WHOLE),
    Checker("check_pipeline_typing.py", WHOLE, (), (FIX,)),
    Checker("update_metadata.py", WHOLE, ("--check-only",)),
)
"""Those that are known, each with its step of the recipe."""
LEFT_OUT = {
    "add_dates.py": "asks GitHub when a page came; that it has a line of dates is a claim of step 11",
    "check_types.py": "needs ty, and looks at folders that no model lies in",
}
"""Those that a checkout may list and that are not run, and why."""


def checkers_of(checkout: Checkout, step: int) -> tuple[Checker, ...]:
    """The checkers of a step of the recipe that a checkout has: those that it lists, else those that are known."""
    listed = tuple(_listed(checkout)) or CHECKERS
    there = (each for each in listed if (checkout.root / "utils" / each.script).is_file())
    return tuple(each for each in there if each.step == step and each.script not in LEFT_OUT)


def _listed(checkout: Checkout) -> Iterator[Checker]:
    """What ``CHECKERS`` of the checkout holds: name, script, arguments to look and to mend."""
    known = {each.script: each for each in CHECKERS}
    for entry in _entries(checkout.root / LIST):
        match entry:
            case (_, str(script), looking, fixing) if SCRIPT.fullmatch(script):
                like, options = known.get(script, Checker(script, WHOLE)), _options(looking)
                if options is not None:
                    yield replace(like, arguments=options, fixing=_options(fixing))


def _options(values: object) -> tuple[str, ...] | None:
    """A list of texts that can be shown; None if it is none."""
    if not isinstance(values, list):
        return None
    texts = tuple(each for each in values if isinstance(each, str) and each.isprintable())
    return texts if len(texts) == len(values) else None


def _entries(path: Path) -> list[object]:
    """The literal values of a dictionary ``CHECKERS`` in a file; none if it has none or cannot be parsed."""
    try:
        with path.open("rb") as file:
            tree = ast.parse(file.read(MOST_BYTES))
        given = [node.value for node in tree.body if isinstance(node, ast.Assign) and _is_named(node.targets)]
        found = ast.literal_eval(given[-1]) if given else {}
    except (OSError, SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return []
    return list(found.values()) if isinstance(found, dict) else []


def _is_named(targets: list[ast.expr]) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "CHECKERS" for each in targets)

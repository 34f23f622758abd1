"""The checkers of a checkout: the scripts of its ``utils/`` that a pull request has to pass."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from typing import Literal

from porting.checkout import Checkout
from porting.children import Ended, run_child
from porting.environment.repository import quiet_git
from porting.linting.naming import Naming, names_models

SECONDS = 600.0
Status = Literal["clean", "findings", "elsewhere", "unclear", "unable"]
RAISED = re.compile(r"^(?:\w+\.)*(?P<name>\w*(?:Error|Exception|Interrupt)\w*|SystemExit)\b(?::|$)", re.MULTILINE)
"""The last line of a traceback, or the first of its message."""
OBJECTING = ("Exception", "ValueError", "AssertionError", "RuntimeError")
"""What a checker raises that has found something."""


@dataclass(frozen=True, slots=True)
class Checker:
    """A script that looks at a checkout, and changes nothing in it.

    Attributes:
        script: in ``utils/``.
        step: of the recipe.
        arguments: with which it only looks.
    """

    script: str
    step: int
    arguments: tuple[str, ...] = ()


CHECKERS = (
    Checker("check_copies.py", 5),
    Checker("check_modular_conversion.py", 5),
    Checker("check_modeling_structure.py", 5),
    Checker("check_inits.py", 5),
    Checker("check_dummies.py", 5),
    Checker("check_config_attributes.py", 5),
    Checker("custom_init_isort.py", 5, ("--check_only",)),
    Checker("sort_auto_mappings.py", 5, ("--check_only",)),
    Checker("check_docstrings.py", 11),
    Checker("check_config_docstrings.py", 11),
    Checker("check_doc_toc.py", 11),
    Checker("check_doctest_list.py", 11),
    Checker("check_repo.py", 14),
    Checker("check_pipeline_typing.py", 14),
    Checker("update_metadata.py", 14, ("--check-only",)),
)
"""Those of them that need no network. None is run with an option that lets it write."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a checker said of one model.

    Attributes:
        script: the checker.
        status: ``elsewhere``: it objects to other models only; ``unclear``: it objects and names no model;
            ``unable``: it did not come to an end.
        lines: those about the model; else the last of all.
    """

    script: str
    status: Status
    lines: tuple[str, ...] = ()


def checkers_of(checkout: Checkout, step: int) -> tuple[Checker, ...]:
    """The checkers of a step of the recipe that a checkout has."""
    there = (each for each in CHECKERS if (checkout.root / "utils" / each.script).is_file())
    return tuple(each for each in there if each.step == step)


def run_checker(checker: Checker, checkout: Checkout, naming: Naming) -> Said:
    """Run one of them as ``make check-repo`` does, without the network, for a limited time.

    Args:
        checker: of the checkout.
        checkout: to run it in.
        naming: what the model is called; other models' findings are not its own.

    Raises:
        ChildError: Python cannot be started.
    """
    command = (sys.executable, os.path.join("utils", checker.script), *checker.arguments)  # noqa: PTH118
    path = os.pathsep.join(filter(None, (str(checkout.package.parent), os.environ.get("PYTHONPATH"))))
    environment = {
        **quiet_git(),
        "PYTHONPATH": path,
        "PYTHONDONTWRITEBYTECODE": "1",
        "HF_HUB_OFFLINE": "1",
        "NO_COLOR": "1",
        "COLUMNS": "1000",
    }
    return _judge(checker.script, run_child(command, checkout.root, seconds=SECONDS, environment=environment), naming)


def _judge(script: str, ended: Ended, naming: Naming) -> Said:
    if ended.code == 0:
        return Said(script, "clean")
    if ended.code is not None and (own := naming.lines(ended.said)):
        return Said(script, "findings", tuple(own))
    raised = [found["name"] for found in RAISED.finditer(ended.said)]
    if ended.code is None or ended.code < 0 or (raised and raised[-1] not in OBJECTING):
        last = f"its time was up after {SECONDS:.0f} seconds" if ended.code is None else ended.last_line
        return Said(script, "unable", (last,))
    message = ended.said[[*RAISED.finditer(ended.said)][-1].start() :] if raised else ended.said
    return Said(script, "elsewhere" if names_models(message) else "unclear", (ended.last_line,))

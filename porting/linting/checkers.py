"""The checkers of a checkout: the scripts of its ``utils/`` that a pull request has to pass."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from porting.checkout import Checkout
from porting.children import Ended, run_child
from porting.environment.repository import quiet_git
from porting.linting.naming import Naming
from porting.linting.registry import Checker
from porting.text import show

SECONDS = 600.0
Status = Literal["clean", "findings", "elsewhere", "unclear", "unable"]
RAISED = re.compile(r"^(?:\w+\.)*(?P<name>\w*(?:Error|Exception|Interrupt)\w*|SystemExit)\b(?::|$)", re.MULTILINE)
"""The last line of a traceback, or the first of its message."""
OBJECTING = ("Exception", "ValueError", "AssertionError", "RuntimeError")
"""What a checker raises that has found something."""
FAILED = re.compile(r"Failed to ", re.IGNORECASE)
"""How a line begins that says of a model that it was not looked at, after all."""
FRAME = re.compile(r'^[ \t]*File "(?P<path>[^"\n]*)", line (?P<line>\d+).*\n?', re.MULTILINE)
"""A place in a traceback."""
LACKING = re.compile(
    r"^(?:\w+\.)*(?:ModuleNotFoundError|ImportError): (?!cannot import name)(?P<package>No module named )?.*",
    re.MULTILINE,
)
"""What is raised where a package is not installed."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a checker said of one model.

    Attributes:
        script: the checker.
        status: ``elsewhere``: it objects to other models only; ``unclear``: it objects and names no model, or
            says more than is kept; ``unable``: it did not come to an end.
        lines: those about the model; else the last of all.
    """

    script: str
    status: Status
    lines: tuple[str, ...] = ()


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
    ended = run_child(command, checkout.root, seconds=SECONDS, environment=_environment(checkout))
    return _judge(checker.script, ended, f"{checkout.root}{os.sep}", naming)


def _environment(checkout: Checkout) -> dict[str, str | None]:
    """Variables of a checker: the checkout is imported, tools of this interpreter are found, and nobody is asked."""
    return {
        **quiet_git(),
        "PYTHONPATH": _joined(str(checkout.package.parent), os.environ.get("PYTHONPATH")),
        "PATH": _joined(str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HF_HUB_OFFLINE": "1",
        "NO_COLOR": "1",
        "COLUMNS": "1000",
    }


def _joined(*paths: str | None) -> str:
    return os.pathsep.join(filter(None, paths))


def _judge(script: str, ended: Ended, root: str, naming: Naming) -> Said:
    """What a checker said, by how it ended and by what it names."""
    text = ended.said.replace(root, "")
    raised = [*RAISED.finditer(text)]
    if ended.code == 0:
        skipped = [line for line in naming.lines(text) if FAILED.match(line)]
        return Said(script, "findings" if skipped else "clean", tuple(skipped))
    if ended.code is None:
        return Said(script, "unable", (f"its time was up after {SECONDS:.0f} seconds",))
    if raised and (raised[-1]["name"] not in OBJECTING):
        return _failed(script, text, raised[-1].start(), naming)
    if own := naming.lines(FRAME.sub("", text)):
        return Said(script, "findings", tuple(own))
    if ended.code < 0:
        return Said(script, "unable", (ended.last_line,))
    message = text[raised[-1].start() :] if raised else text
    elsewhere = ended.whole and naming.names_others(message)
    return Said(script, "elsewhere" if elsewhere else "unclear", (ended.last_line,))


def _failed(script: str, text: str, at: int, naming: Naming) -> Said:
    """Of a checker that fell over something: a fault of the model's code, if that raised it, else what is missing."""
    message = show(text[at:].strip().partition("\n")[0], 300)
    frames = [f"{found['path']}:{found['line']}" for found in FRAME.finditer(text)]
    if frames and naming.lines(frames[-1]) and not LACKING.match(text, at):
        return Said(script, "findings", (f"{show(frames[-1])}: {message}",))
    missing = next((show(found[0], 300) for found in LACKING.finditer(text) if found["package"]), message)
    return Said(script, "unable", (missing,))

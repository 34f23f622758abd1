"""Run test files with pytest, in a process of its own, and count how they ended."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from porting.children import Ended, run_child
from porting.text import show

COUNT = re.compile(r"(\d+) (passed|failed|skipped|error|xfailed|xpassed)")
SUMMARY = re.compile(
    r"^(?:=+ )?\d+ (?:passed|failed|skipped|deselected|xfailed|xpassed|errors?|warnings?)\b.* in [\d.]+"
)
BAD = re.compile(r"^(?:FAILED|ERROR) ")
OFFLINE = re.compile(
    r"offline|LocalEntryNotFound|outgoing traffic|couldn't connect|Max retries exceeded|Temporary failure in name",
    re.IGNORECASE,
)
"""What is said where a file of the Hub is not there, and the network is not to be asked."""
PLUGIN = "porting_standing_for"
STANDING = """
import json, os

FOLDERS = json.loads(os.environ["PORTING_STANDING_FOR"])


def pytest_itemcollected(item):
    names = getattr(getattr(item, "module", None), "__dict__", {})
    names.update({name: FOLDERS[names[name]] for name in ["CHECKPOINT"] if names.get(name) in FOLDERS})
"""
"""What has tests load from a folder in place of the Hub."""


@dataclass(frozen=True, slots=True)
class TestRun:
    """How the tests of some files ended.

    Attributes:
        passed: how many did.
        failed: how many did not, or could not run.
        skipped: how many were not run.
        failures: the failed ones with what they said, a line each, to be shown.
        complete: whether the run came to its end, in time.
        last_line: of what pytest said.
    """

    __test__ = False

    passed: int
    failed: int
    skipped: int
    failures: tuple[str, ...]
    complete: bool
    last_line: str

    @property
    def lacks_files(self) -> bool:
        """Whether all that failed needs files that are not here."""
        return bool(self.failures) and all(OFFLINE.search(line) for line in self.failures)


def run_tests(
    paths: Sequence[Path], root: Path, *, slow: bool, seconds: float, standing_for: Mapping[str, str] | None = None
) -> TestRun:
    """Run test files from a folder, as ``python -m pytest`` there does, without the network.

    Args:
        paths: of the files.
        root: the folder.
        slow: whether the tests that Transformers marks as slow are run, too.
        seconds: for all of them.
        standing_for: what files have as their ``CHECKPOINT``, each with the folder that is loaded from instead.

    Raises:
        ChildError: Python cannot be started.
    """
    environment = {
        "RUN_SLOW": "1" if slow else None,
        "HF_HUB_OFFLINE": "1",
        "PYTEST_ADDOPTS": None,
        "PYTEST_XDIST_WORKER": None,
        "COLUMNS": "1000",
        "NO_COLOR": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    options = ["-q", "--no-header", "--tb=short", "-rfE", "--color=no", "-p", "no:cacheprovider", "-o", "addopts="]
    with tempfile.TemporaryDirectory(prefix="porting-") as scratch:
        if standing_for:
            Path(scratch, f"{PLUGIN}.py").write_text(STANDING, encoding="utf-8")
            options += ["-p", PLUGIN]
            environment |= {
                "PORTING_STANDING_FOR": json.dumps(dict(standing_for)),
                "PYTHONPATH": os.pathsep.join(filter(None, (scratch, os.environ.get("PYTHONPATH")))),
            }
        command = (sys.executable, "-m", "pytest", *options, "--", *map(str, paths))
        return _read(run_child(command, root, seconds=seconds, environment=environment))


def _read(ended: Ended) -> TestRun:
    lines = ended.output.splitlines()
    summary = next((line for line in reversed(lines) if SUMMARY.match(line)), "")
    counts = {word: int(number) for number, word in COUNT.findall(summary)}
    return TestRun(
        passed=counts.get("passed", 0) + counts.get("xfailed", 0),
        failed=counts.get("failed", 0) + counts.get("error", 0) + counts.get("xpassed", 0),
        skipped=counts.get("skipped", 0),
        failures=tuple(show(BAD.sub("", line), 400) for line in lines if BAD.match(line)),
        complete=ended.code in (0, 1),
        last_line="its time was up" if ended.code is None else ended.last_line,
    )

"""Run test files with pytest, in a process of its own, and count how they ended."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from porting.children import Ended, run_child
from porting.text import show

COUNT = re.compile(r"(\d+) (passed|failed|skipped|error|xfailed|xpassed)")
SUMMARY = re.compile(
    r"^(?:=+ )?\d+ (?:passed|failed|skipped|deselected|xfailed|xpassed|errors?|warnings?)\b.* in [\d.]+"
)
BAD = re.compile(r"^(?:FAILED|ERROR) (?P<item>[^ ].*?)(?: - (?P<why>.*))?$")
BEGIN = re.compile(r"^=+ short test summary info =+$")
SECTION = re.compile(r"^_{3,} (?:ERROR collecting |ERROR at \w+ of )?(?P<title>.+?) _{3,}$")
SAID = re.compile(r"^E {3,}(?P<what>\S.*)$")
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
PACKAGE = re.compile(
    r"No module named ['\"](?!transformers\b|tests\b)(?P<module>\w+)|pip install (?:-\S+ )*(?P<named>\w[\w.-]*)"
    r"|requires the (?P<library>\w+) library but it was not found"
)
"""What is said where a package is not installed; a module of Transformers that is not there is the port's fault."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A test that failed, or could not run.

    Attributes:
        line: which, and what it said; to be shown.
        package: that it asks for, and is not installed; empty if it does not.
        needs_file: whether a file of the Hub is what it lacks.
    """

    line: str
    package: str
    needs_file: bool


@dataclass(frozen=True, slots=True)
class TestRun:
    """How the tests of some files ended.

    Attributes:
        passed: how many did.
        failed: how many did not, or could not run.
        skipped: how many were not run.
        failures: the failed ones.
        complete: whether the run came to its end, in time.
        last_line: of what pytest said.
    """

    __test__ = False

    passed: int
    failed: int
    skipped: int
    failures: tuple[Failure, ...]
    complete: bool
    last_line: str

    @property
    def lacks(self) -> bool:
        """Whether all that failed needs packages or files that are not here."""
        return bool(self.failures) and all(each.package or each.needs_file for each in self.failures)


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
    options = ["-q", "--no-header", "--tb=short", "-rfE", "--color=no", "-p", "no:cacheprovider"]
    options += ["-o", "addopts=", "-o", "log_cli=false"]
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
        failures=tuple(_failures(lines)),
        complete=ended.code in (0, 1),
        last_line="its time was up" if ended.code is None else ended.last_line,
    )


def _failures(lines: Sequence[str]) -> Iterator[Failure]:
    """The failures that the summary lists, each with what its own section says where the summary is silent."""
    begin = next((number for number, line in enumerate(lines) if BEGIN.match(line)), len(lines))
    sections = _sections(lines[:begin])
    for found in filter(None, map(BAD.match, lines[begin + 1 :])):
        item, why = found["item"], (found["why"] or "").strip()
        said = sections.get(item, sections.get(".".join(item.split("::")[1:]), []))
        text = "\n".join([why, *said])
        asked = PACKAGE.search(text)
        told = why if why and not why.endswith(":") else " ".join([why, *said[-1:]]).strip()
        yield Failure(
            show(f"{item} - {told}" if told else item, 400),
            show(next(filter(None, asked.groups()), ""), 100) if asked else "",
            OFFLINE.search(text) is not None,
        )


def _sections(lines: Iterable[str]) -> dict[str, list[str]]:
    """What was raised, line by line, by the titles of pytest's sections."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in lines:
        if heading := SECTION.match(line):
            title = heading["title"]
        elif said := SAID.match(line):
            found.setdefault(title, []).append(said["what"])
    return found

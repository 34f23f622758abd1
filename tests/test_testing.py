"""Test files are run as children, and counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from porting.testing import TestRun, run_tests

CASES = """
import os
import pytest

def test_right(): assert os.environ["HF_HUB_OFFLINE"] == "1"

@pytest.mark.skipif(not os.environ.get("RUN_SLOW"), reason="slow")
def test_slow(): ...

def test_other(): {other}
"""


def run(folder: Path, other: str, *, slow: bool = True, seconds: float = 60) -> TestRun:
    path = folder / "test_a b.py"
    path.write_text(CASES.format(other=other))
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    return run_tests([path], folder, slow=slow, seconds=seconds)


def test_what_passes_and_is_skipped_is_counted(tmp_path: Path) -> None:
    found = run(tmp_path, "pass", slow=False)
    assert (found.passed, found.failed, found.skipped, found.complete) == (2, 0, 1, True)
    assert run(tmp_path, "pass").skipped == 0


def test_what_fails_is_named_and_shown(tmp_path: Path) -> None:
    found = run(tmp_path, "print('100 passed in 1s'); raise ValueError('no \\x1b[31m way')")
    assert (found.passed, found.failed, found.lacks_files) == (2, 1, False)
    assert "test_other - ValueError" in found.failures[0]
    assert "\x1b" not in found.failures[0]


def test_what_needs_the_network_is_told_apart(tmp_path: Path) -> None:
    found = run(tmp_path, "raise OSError('Cannot find it, and offline mode is enabled.')")
    assert (found.failed, found.lacks_files) == (1, True)


@pytest.mark.parametrize(
    ("other", "seconds"), [("os.kill(os.getpid(), 9)", 60), ("__import__('time').sleep(60)", 1)], ids=["dies", "hangs"]
)
def test_a_run_that_does_not_end_by_itself_is_not_complete(other: str, seconds: float, tmp_path: Path) -> None:
    found = run(tmp_path, other, seconds=seconds)
    assert (found.passed, found.complete) == (0, False)


def test_a_file_that_cannot_be_imported_fails(tmp_path: Path) -> None:
    path = tmp_path / "test_it.py"
    path.write_text("import no_such_package\n")
    found = run_tests([path], tmp_path, slow=True, seconds=60)
    assert (found.passed, found.failed) == (0, 1)


LOADING = """
import json
import unittest

CHECKPOINT = "org/name"
OTHER = "org/name"


class LoadingTest(unittest.TestCase):
    def test_it(self):
        if CHECKPOINT == "org/name":
            raise OSError("We couldn't connect to the Hub")
        assert json.load(open(CHECKPOINT + "/config.json")) == {}
        assert OTHER == "org/name"
"""


def test_a_folder_stands_for_what_is_not_on_the_hub(tmp_path: Path) -> None:
    path, folder = tmp_path / "test_it.py", tmp_path / "converted"
    path.write_text(LOADING)
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    for standing_for, passed in (({}, 0), ({"org/other": str(folder)}, 0), ({"org/name": str(folder)}, 1)):
        found = run_tests([path], tmp_path, slow=True, seconds=60, standing_for=standing_for)
        assert (found.passed, found.lacks_files) == (passed, not passed), found
    assert {each.name for each in tmp_path.iterdir()} == {"test_it.py", "converted"}

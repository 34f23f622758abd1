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
    assert (found.passed, found.failed, found.lacks) == (2, 1, False)
    assert "test_other - ValueError" in found.failures[0].line
    assert "\x1b" not in found.failures[0].line


def test_what_needs_the_network_is_told_apart(tmp_path: Path) -> None:
    found = run(tmp_path, "raise OSError('Cannot find it, and offline mode is enabled.')")
    assert (found.failed, found.lacks, found.failures[0].needs_file) == (1, True, True)


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
    assert (found.passed, found.failed, found.lacks) == (0, 1, True)
    assert "No module named 'no_such_package'" in found.failures[0].line
    assert found.failures[0].package == "no_such_package"


@pytest.mark.parametrize(
    ("text", "package"),
    [
        ("It requires `accelerate`. You can install it with `pip install accelerate`", "accelerate"),
        ("X requires the protobuf library but it was not found in your environment", "protobuf"),
        ("No module named 'transformers.models.brand_new.modeling_brandnew'", ""),
        ("1.0 is not 2.0", ""),
    ],
)
def test_packages_that_are_not_installed_are_told_from_faults(text: str, package: str, tmp_path: Path) -> None:
    found = run(tmp_path, f"raise ImportError({text!r})")
    assert [each.package for each in found.failures] == [package]
    assert found.lacks is bool(package)


def test_what_a_failure_says_is_found_where_the_summary_is_silent(tmp_path: Path) -> None:
    found = run(tmp_path, "raise ValueError('\\\\nin a child:\\\\nKeyError: the child')")
    assert [each.line.count("KeyError: the child") for each in found.failures] == [1]


def test_live_logs_of_a_checkout_are_no_failures(tmp_path: Path) -> None:
    path = tmp_path / "test_it.py"
    path.write_text("import logging\ndef test_it():\n    logging.error('loud')\n    raise ValueError('wrong')\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nlog_cli = 1\n")
    found = run_tests([path], tmp_path, slow=True, seconds=60)
    assert [each.line for each in found.failures] == ["test_it.py::test_it - ValueError: wrong"]


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
        assert (found.passed, found.lacks) == (passed, not passed), found
    assert {each.name for each in tmp_path.iterdir()} == {"test_it.py", "converted"}

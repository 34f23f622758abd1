"""The checkers of a checkout run as children; what they find in other models is not the port's."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkouts import checkout_at, write

from porting.checkout import Checkout
from porting.linting.checkers import Said, run_checker
from porting.linting.naming import Naming
from porting.linting.registry import CHECKERS, Checker, checkers_of

NAMING = Naming("first", ["FirstModel"])
SCRIPT = "check_copies.py"


def said(root: Path, script: str) -> Said:
    write(root, {"src/transformers/__init__.py": "", f"utils/{SCRIPT}": script, "utils/helper.py": "X = 1\n"})
    texts = {"broken": "nothing", "lacking": "import no_such_package", "asking": "from os import nothing"}
    for model in ("first", "second"):
        write(root, {f"src/transformers/models/{model}/{name}.py": text for name, text in texts.items()})
    return run_checker(Checker(SCRIPT, 5, ("--look",)), Checkout(root), NAMING)


OWN = "- src/transformers/models/first/modeling_first.py: copy does not match"
OTHER = "- src/transformers/models/second/modeling_second.py: copy does not match"


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        ("print('fine: src/transformers/models/first')", "clean", ""),
        (f"raise Exception('Found:\\n{OTHER}\\n{OWN}\\nRun make fix-repo.')", "findings", OWN),
        ("print('FirstModel is not tested'); raise SystemExit(1)", "findings", "FirstModel is not tested"),
        (f"raise ValueError('Found:\\n{OTHER}')", "elsewhere", "modeling_second"),
        ("raise ValueError('Not sorted: src/transformers/models/auto/modeling_auto.py')", "unclear", "modeling_auto"),
        ("raise ValueError('The table is not sorted')", "unclear", "not sorted"),
        ("print('Failed to convert src/transformers/models/first/x.py: it broke')", "findings", "it broke"),
        ("print('No differences found for src/transformers/models/first/x.py: failed 0')", "clean", ""),
        ("import shutil; assert shutil.which('python')", "clean", ""),
        ("import transformers.models.first.broken", "findings", "first/broken.py:1: NameError"),
        ("import transformers.models.first.lacking", "unable", "No module named 'no_such_package'"),
        ("import transformers.models.first.asking", "findings", "cannot import name 'nothing'"),
        ("import transformers.models.second.broken", "unable", "NameError"),
        ("import no_such_package", "unable", "No module named 'no_such_package'"),
        ("open('/no/such/file')", "unable", "No such file"),
        ("import os; os.abort()", "unable", ""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "unable", ""),
        ("import helper, transformers, sys; assert sys.argv[1:] == ['--look']", "clean", ""),
        ("import os, subprocess; print(subprocess.check_output(['git', 'status']))", "unable", "git"),
        (f"print('x' * 10**7); raise Exception('{OWN}')", "findings", OWN),
        (f"print('-' * 10**7); raise Exception('{OTHER}')", "unclear", OTHER),
        (f"raise Exception('{OTHER}\\n' * 10**5)", "unclear", OTHER),
        ("raise Exception('\\x1b[31m\\u202esrc/transformers/models/first/x.py')", "findings", "\\u202e"),
    ],
)
def test_what_a_checker_says_of_a_model(script: str, status: str, words: str, tmp_path: Path) -> None:
    found = said(tmp_path, script)
    assert found.status == status, found
    assert words in "\n".join(found.lines)
    assert "\x1b" not in "".join(found.lines)


def test_a_checker_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("porting.linting.checkers.SECONDS", 0.5)
    found = said(tmp_path, f"import time; print('{OWN}', flush=True); time.sleep(60)")
    assert (found.status, "its time was up" in found.lines[0]) == ("unable", True)


def test_git_in_a_checker_runs_no_program_of_the_repository(tmp_path: Path) -> None:
    from checkouts import git

    root = checkout_at(tmp_path / "it")
    git(root, "config", "core.fsmonitor", f"touch {tmp_path / 'ran'}; false")
    found = said(root, "import subprocess; subprocess.check_output(['git', 'status'])")
    assert found.status == "clean"
    assert not (tmp_path / "ran").exists()


def test_only_checkers_that_are_there_are_run_and_none_that_writes(tmp_path: Path) -> None:
    write(tmp_path, {"src/transformers/__init__.py": "", "utils/check_repo.py": "", "utils/check_inits.py": ""})
    found = {step: [each.script for each in checkers_of(Checkout(tmp_path), step)] for step in (5, 8, 11, 14)}
    assert found == {5: ["check_inits.py"], 8: [], 11: [], 14: ["check_repo.py"]}
    assert not [each for each in CHECKERS if any("fix" in argument for argument in each.arguments)]
    by_itself = {each.script for each in CHECKERS if not each.script.startswith("check_")}
    assert all(each.arguments for each in CHECKERS if each.script in by_itself)

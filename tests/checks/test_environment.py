"""Steps 2 and 3: versions, the checkout with its branch and remotes, and the interpreter of the original."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from checked import context_with, result_of
from checkouts import UPSTREAM, checkout_at, git, imported_from
from processes import write_portfile

from porting.checks import CheckContext, CheckResult
from porting.environment.versions import PACKAGES, PYTHON, Version
from porting.evidence.asking import listening
from porting.portfile import Portfile

VERSIONS, CHECKOUT, BRANCH, IMPORTS = (
    "check_versions", "check_editable_checkout", "check_branch_and_remote", "check_original_imports",
)  # fmt: skip


def test_the_versions_of_this_environment_are_supported(tmp_path: Path) -> None:
    result = result_of(VERSIONS, context_with(tmp_path))
    assert result.status == "passed"
    assert set(result.figures) == {"Python", *PACKAGES}
    assert not Version("torch", None, ">=2").is_supported


@pytest.mark.parametrize(
    ("name", "version", "ok"),
    [
        ("transformers", "5.24.0.dev0", True),
        ("transformers", "4.57.1", False),
        ("transformers", "6.0.0", False),
        ("transformers", "6.0.0.dev0", False),
        ("torch", "2.13.0+cu130", True),
        ("torch", "2.13.0a0+git0123", True),
        ("torch", "2.5.1", False),
        ("torch", "a nightly \x1b[31mone", False),
        ("pytest", None, False),
    ],
)
def test_versions_are_held_against_what_is_supported(
    name: str, version: str | None, ok: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Version(name, version, PACKAGES[name])
    monkeypatch.setattr("porting.environment.versions.versions", lambda: (found,))
    result = result_of(VERSIONS, context_with(tmp_path))
    assert result.status == ("passed" if ok else "skipped" if version is None else "failed")
    assert ok or result.message.startswith(f"{name} is ")
    assert "\x1b" not in result.message


def test_the_versions_are_those_that_the_project_declares() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert {f"{name}{wanted}" for name, wanted in PACKAGES.items()} <= set(project["dependencies"])
    assert project["requires-python"] == PYTHON


def test_an_installed_package_is_still_to_be_replaced_by_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported_from(monkeypatch, None)
    for name in (CHECKOUT, BRANCH):
        result = result_of(name, context_with(tmp_path))
        assert (result.status, "pip install -e ." in result.hint) == ("skipped", True)


def test_a_checkout_on_a_branch_with_both_remotes_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = checkout_at(tmp_path / "it")
    imported_from(monkeypatch, root)
    for folder in (tmp_path, root):
        found = {name: result_of(name, context_with(folder)) for name in (CHECKOUT, BRANCH)}
        assert {result.status for result in found.values()} == {"passed"}
        assert found[BRANCH].figures == {"branch": "add-first", "upstream": "upstream", "fork": "origin"}


def test_the_branch_and_its_remotes_are_spoken_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = checkout_at(tmp_path / "it")
    imported_from(monkeypatch, root)
    with listening() as heard:
        assert result_of(BRANCH, context_with(tmp_path)).status == "passed"
    assert {f"path {root / '.git' / name}" for name in ("HEAD", "config")} <= heard


def test_a_port_in_a_checkout_that_is_not_the_imported_one_is_refuted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = checkout_at(tmp_path / "it")
    for imported in (None, checkout_at(tmp_path / "other")):
        imported_from(monkeypatch, imported)
        result = result_of(CHECKOUT, context_with(root / "work"))
        assert (result.status, "and not the checkout" in result.message) == ("failed", True)


def test_a_checkout_without_git_is_still_to_be_cloned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "src" / "transformers").mkdir(parents=True)
    (tmp_path / "src" / "transformers" / "__init__.py").touch()
    imported_from(monkeypatch, tmp_path)
    for name in (CHECKOUT, BRANCH):
        result = result_of(name, context_with(tmp_path))
        assert (result.status, "is no repository" in result.message) == ("skipped", True)


MISTAKES: Mapping[str, tuple[list[list[str]], str]] = {
    "main": ([["switch", "main"]], "is on main"),
    "master": ([["switch", "-c", "master"]], "is on master"),
    "detached": ([["checkout", "--detach"]], "is on no branch"),
    "no upstream": ([["remote", "remove", "upstream"]], "none of the remotes"),
    "no fork": ([["remote", "remove", "origin"]], "no fork"),
    "a clone": ([["remote", "remove", "upstream"], ["remote", "set-url", "origin", UPSTREAM]], "no fork"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_branch_or_remote_that_is_missing_is_named(
    mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands, words = MISTAKES[mistake]
    root = checkout_at(tmp_path / "it")
    imported_from(monkeypatch, root)
    for command in commands:
        git(root, *command)
    result = result_of(BRANCH, context_with(tmp_path))
    assert (result.status, words in result.message, bool(result.hint)) == ("failed", True, True)


ORIGINAL = """
import sys

def original():
    import json
    {imports}
    raise RuntimeError("the weights are not here")

def ported(): ...
def inputs(): return {{}}
"""


def imports_of(folder: Path, imports: str, extra: str = "") -> CheckResult:
    path = folder / "portfile.py"
    path.write_text(ORIGINAL.format(imports=imports) + extra)
    return result_of(IMPORTS, CheckContext(Portfile.load(path)))


@pytest.mark.parametrize("there", [False, True])
def test_the_original_is_imported_without_being_built(there: bool, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "first_model.py").write_text("")
    extra = f"ORIGINAL_PYTHON = {sys.executable!r}" if there else ""
    try:
        result = imports_of(tmp_path, 'sys.path.insert(0, "code")\n    import first_model', extra)
    finally:
        sys.path[:] = [each for each in sys.path if each != "code"]
        sys.modules.pop("first_model", None)
    assert result.status == "passed", result.message
    assert result.figures["torch"]
    assert result.figures["interpreter"] == sys.executable


@pytest.mark.parametrize("there", [False, True])
def test_an_import_that_fails_is_named(there: bool, tmp_path: Path) -> None:
    extra = f"ORIGINAL_PYTHON = {sys.executable!r}" if there else ""
    result = imports_of(tmp_path, "import no_such_original", extra)
    assert result.status == "failed"
    assert "No module named 'no_such_original'" in result.message
    assert "ORIGINAL_PYTHON" in result.hint


def test_an_original_that_imports_nothing_itself_runs_whole(tmp_path: Path) -> None:
    path = write_portfile(tmp_path)
    assert result_of(IMPORTS, CheckContext(Portfile.load(path))).status == "passed"


@pytest.mark.parametrize("program", ["#!/bin/sh\nexit 3\n", None])
def test_an_interpreter_that_is_none_is_an_error(program: str | None, tmp_path: Path) -> None:
    python = tmp_path / "python"
    if program:
        python.write_text(program)
        python.chmod(0o755)
    result = imports_of(tmp_path, "import json", f"ORIGINAL_PYTHON = {os.fspath(python)!r}")
    assert (result.status, "ORIGINAL_PYTHON" in result.message) == ("error", True)


def test_an_interpreter_without_a_framework_does_not_run_the_original(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')
    python.chmod(0o755)
    result = imports_of(tmp_path, "import json", f"ORIGINAL_PYTHON = {os.fspath(python)!r}")
    assert (result.status, "neither torch nor JAX nor TensorFlow" in result.message) == ("failed", True)


def test_the_trace_of_a_recorded_original_says_what_made_it(tmp_path: Path) -> None:
    from torch import nn, zeros

    from porting import capture
    from porting.trace import save_trace

    save_trace(capture(nn.Linear(2, 2), {"input": zeros(1, 2)}), tmp_path / "trace")
    result = result_of(IMPORTS, context_with(tmp_path, ORIGINAL_TRACE="trace"))
    assert (result.status, "torch" in result.figures) == ("passed", True)

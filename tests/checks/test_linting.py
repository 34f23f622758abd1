"""Ruff and the checkers of a checkout, on a port that is written in one."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from checked import context_with, result_of
from checkouts import checkout_at, write
from torch import nn

from porting.checks import CheckResult
from porting.evidence.asking import listening
from porting.linting.mlinter import Lint
from porting.linting.ruff import find_ruff, version_of

RUFF = "check_ruff"
REPOSITORY = {
    "check_repository_conventions": "check_copies.py",
    "check_repository_documents": "check_docstrings.py",
    "check_repository_state": "check_repo.py",
}
MODELING = '''"""A port."""

from torch import nn


class FirstModel(nn.Module):
    """Maps nothing."""
'''
FOLDER = "src/transformers/models/first"


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield checkout_at(tmp_path / "it", {f"{FOLDER}/__init__.py": "", f"{FOLDER}/modeling_first.py": MODELING})
    sys.modules.pop("modeling_first", None)


def model_of(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.FirstModel()


def said(name: str, path: Path, work: Path) -> CheckResult:
    model: nn.Module = model_of(path)
    return result_of(name, context_with(work, ported=lambda: model, MODEL_NAME="first"))


@pytest.mark.skipif(find_ruff() is None, reason="ruff is not installed")
def test_ruff_reads_the_port_its_folder_and_its_tests(root: Path, tmp_path: Path) -> None:
    path = root / FOLDER / "modeling_first.py"
    result = said(RUFF, path, tmp_path)
    assert (result.status, result.figures["files"]) == ("passed", 2)
    write(root, {"tests/models/first/test_modeling_first.py": "import os\n"})
    write(tmp_path, {"tests/models/first/test_processing_first.py": "import sys\n", "tests/models/x/test_x.py": "("})
    result = said(RUFF, path, tmp_path)
    assert (result.status, result.figures["files"], result.figures["findings"]) == ("failed", 4, 2)
    assert "test_processing_first.py:1 F401" in result.message


@pytest.mark.skipif(find_ruff() is None, reason="ruff is not installed")
def test_ruff_reads_a_port_outside_of_a_checkout_too(root: Path, tmp_path: Path) -> None:
    write(tmp_path, {"own/modeling_first.py": MODELING.replace("nn\n", "nn, zeros\n"), "own/other.py": "("})
    result = said(RUFF, tmp_path / "own" / "modeling_first.py", tmp_path)
    assert (result.status, result.figures["files"], result.figures["findings"]) == ("failed", 1, 1)


@pytest.mark.skipif(find_ruff() is None, reason="ruff is not installed")
@pytest.mark.parametrize("same", [True, False])
def test_what_another_version_may_not_find_is_no_failure(
    same: bool, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_ruff()
    assert found is not None
    monkeypatch.setattr("porting.linting.ruff.pinned_version", lambda: version_of(found) if same else "0.0.1")
    path = root / FOLDER / "modeling_first.py"
    path.write_text(MODELING + "\n\nONE = [ 1 ]\n")
    result = said(RUFF, path, tmp_path)
    assert (result.status, result.lacking) == ("failed" if same else "skipped", not same)
    path.write_text(path.read_text() + "import os\n")
    assert said(RUFF, path, tmp_path).status == "failed"


@pytest.mark.parametrize(
    ("rules", "newer", "status"),
    [
        (None, None, "failed"),
        ("[rules.TRF900]", None, "failed"),
        ("[rules.TRF001]", None, "passed"),
        ("[rules]", None, "failed"),
        (None, "0.1", "skipped"),
        ("[rules.TRF900]", "0.1", "failed"),
    ],
)
def test_mlinter_knows_what_is_a_rule_here(
    rules: str | None, newer: str | None, status: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, {} if rules is None else {"utils/mlinter/rules.toml": rules})
    monkeypatch.setattr("porting.linting.mlinter.is_installed", lambda: True)
    monkeypatch.setattr(
        "porting.linting.mlinter.lint", lambda _paths: [Lint("TRF900", 3, "it is not as it should be")]
    )
    monkeypatch.setattr("porting.linting.mlinter.newer_than", lambda: newer)
    result = said("check_mlinter", root / FOLDER / "modeling_first.py", tmp_path)
    assert (result.status, result.lacking) == (status, status == "skipped")
    assert ("TRF900 it is not as it should be" in result.message) == (status != "passed")


@pytest.mark.parametrize("name", [RUFF, *REPOSITORY])
def test_the_claims_speak_of_the_ports_files_and_not_of_its_weights(name: str, root: Path, tmp_path: Path) -> None:
    test = root / "tests" / "models" / "first" / "test_modeling_first.py"
    write(root, {str(test.relative_to(root)): "first = 1\n", f"utils/{REPOSITORY.get(name, 'x.py')}": ""})
    with listening() as heard:
        said(name, root / FOLDER / "modeling_first.py", tmp_path)
    assert {f"path {root / FOLDER / 'modeling_first.py'}", f"path {test}"} <= heard
    assert not [topic for topic in heard if topic.startswith(("files", "settings"))]


def test_without_ruff_the_claim_is_to_do(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("porting.linting.ruff.find_ruff", lambda: None)
    result = said(RUFF, root / FOLDER / "modeling_first.py", tmp_path)
    assert (result.lacking, "pip install ruff" in result.hint) == (True, True)


@pytest.mark.parametrize(("name", "script"), REPOSITORY.items())
@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("", "passed", ""),
        ("raise Exception('- src/transformers/models/second/x.py')", "passed", ""),
        ("raise Exception('FirstModel is undocumented')", "failed", "FirstModel is undocumented"),
        ("raise Exception('it is not sorted')", "inconclusive", "names no model"),
        ("import no_such_package", "skipped", "No module named 'no_such_package'"),
    ],
)
def test_the_checkers_of_a_step_are_one_claim(
    name: str, script: str, text: str, status: str, words: str, root: Path, tmp_path: Path
) -> None:
    write(root, {f"utils/{script}": text})
    result = said(name, root / FOLDER / "modeling_first.py", tmp_path)
    assert result.status == status, result.message
    assert words in result.message
    assert script in result.figures
    assert result.lacking == (status == "skipped")


def test_the_claims_speak_of_the_linters(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("porting.linting.mlinter.is_installed", lambda: True)
    monkeypatch.setattr("porting.linting.mlinter.lint", lambda _paths: [])
    path = root / FOLDER / "modeling_first.py"
    with listening() as heard:
        said("check_mlinter", path, tmp_path)
    assert {"version transformers_mlinter", f"path {root / 'utils' / 'mlinter' / 'rules.toml'}"} <= heard
    if find_ruff() is not None:
        with listening() as heard:
            said(RUFF, path, tmp_path)
        assert {"version ruff", f"path {root / 'pyproject.toml'}"} <= heard


def test_the_claims_speak_of_the_list_of_the_checkers(root: Path, tmp_path: Path) -> None:
    write(root, {"utils/check_copies.py": ""})
    with listening() as heard:
        said("check_repository_conventions", root / FOLDER / "modeling_first.py", tmp_path)
    assert {f"path {root / 'utils' / name}" for name in ("check_copies.py", "checkers.py")} <= heard


def test_without_room_for_a_copy_the_claim_is_to_do(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, {"utils/check_copies.py": ""})
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    result = said("check_repository_conventions", root / FOLDER / "modeling_first.py", tmp_path)
    assert (result.status, result.lacking) == ("skipped", True)
    assert "TMPDIR" in result.hint


@pytest.mark.parametrize("name", REPOSITORY)
def test_a_checkout_without_checkers_and_a_port_without_checkout(name: str, root: Path, tmp_path: Path) -> None:
    found = said(name, root / FOLDER / "modeling_first.py", tmp_path)
    assert (found.status, found.lacking) == ("skipped", False)
    write(tmp_path, {"own/modeling_first.py": MODELING})
    found = said(name, tmp_path / "own" / "modeling_first.py", tmp_path)
    assert (found.status, found.lacking) == ("skipped", True)


@pytest.mark.parametrize("name", [RUFF, *REPOSITORY, "check_model_tests", "check_tests_are_own"])
def test_what_came_with_transformers_is_not_what_is_added_to_it(name: str, tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(hidden_size=4, num_hidden_layers=1, num_attention_heads=1, intermediate_size=4, vocab_size=2)
    small = BertModel(config)
    result = result_of(name, context_with(tmp_path, ported=lambda: small))
    assert (result.status, result.lacking, "came with Transformers" in result.message) == ("skipped", False, True)

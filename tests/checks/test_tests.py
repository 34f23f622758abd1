"""Step 8: the port's tests are its own, are there, and pass."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from checked import context_with, result_of
from checkouts import checkout_at, imported_from, write

from porting.checks import CheckResult
from porting.evidence.asking import listening
from porting.stubs.layout import MARKER

OWN, COMMON, GENERATED = "check_tests_are_own", "check_model_tests", "check_generated_tests"
MODEL = "src/transformers/models/first/modeling_first.py"
TEST = "tests/models/first/test_modeling_first.py"
PASSING = "import unittest\n\n\nclass FirstModelTest(unittest.TestCase):\n    def test_it(self): {body}\n"
COPIED = "# Copied from transformers.models.bert.modeling_bert.A"
PARENT = """
class BertModelIntegrationTest:
    def test_inference(self):
        model = BertModel.from_pretrained("google-bert/bert-base-uncased")
        other = BertModel.from_pretrained("google/Bert-base")
        expected = torch.tensor([[0.4249, 0.1008, 0.7531]])
        expected_text = "the capital of france is paris"
"""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    code = f"{COPIED}\nfrom torch import nn\n\n\nclass FirstModel(nn.Module): ...\n"
    yield checkout_at(tmp_path / "it", {MODEL: code, "tests/models/bert/test_modeling_bert.py": PARENT})
    sys.modules.pop("modeling_first", None)


def said(name: str, root: Path, **constants: Any) -> CheckResult:
    spec = importlib.util.spec_from_file_location("modeling_first", root / MODEL)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["modeling_first"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return result_of(name, context_with(root, ported=module.FirstModel, MODEL_NAME="first", **constants))


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        ('FirstModel.from_pretrained("me/first")', "passed", ""),
        ('FirstModel.from_pretrained("google-bert/bert-base-uncased")', "failed", "checkpoint google-bert/bert-base"),
        ('FirstModel.from_pretrained("google/First-base")', "inconclusive", "(google/Bert-base)"),
        ("expected = torch.tensor([0.4249, 0.1008, 0.7531])", "failed", "expected numbers [0.4249, 0.1008, 0.7531]"),
        ('expected_text = "the capital of france is paris"', "inconclusive", "the capital of france"),
        ('AutoTokenizer.from_pretrained("google-bert/bert-base-uncased")', "passed", ""),
    ],
)
def test_values_of_the_copied_tests_are_found(line: str, status: str, words: str, root: Path) -> None:
    write(root, {TEST: f"{line}\n"})
    result = said(OWN, root)
    assert (result.status, result.figures["held against"]) == (status, "bert"), result.message
    assert words in result.message
    assert (status == "passed") == (not result.hint)


def test_two_models_may_rightly_say_the_same(root: Path) -> None:
    text = 'FirstModel.from_pretrained("me/first")\nexpected_text = "the capital of france is paris"\n'
    write(root, {TEST: text})
    result = said(OWN, root)
    assert (result.status, result.figures["found"]) == ("passed", 1)


def test_a_checkpoint_that_is_the_ports_own_is_fine(root: Path) -> None:
    write(root, {TEST: 'FirstModel.from_pretrained("google-bert/bert-base-uncased")\n'})
    assert said(OWN, root, HUB_ID="google-bert/bert-base-uncased").status == "passed"


@pytest.mark.parametrize("name", [OWN, COMMON])
def test_tests_that_are_missing_are_to_do(name: str, root: Path) -> None:
    with listening() as heard:
        result = said(name, root)
    assert (result.lacking, "test_modeling_first.py" in result.message) == (True, True)
    assert f"path {root / TEST}" in heard


def test_without_other_tests_nothing_is_held_against(root: Path) -> None:
    write(root, {TEST: "first = 1\n"})
    (root / "tests/models/bert/test_modeling_bert.py").unlink()
    result = said(OWN, root)
    assert (result.status, result.lacking) == ("skipped", False)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("pass", "passed", ""),
        ("self.fail('not \\x1b[31mright')", "failed", "1 test fails: tests/models/first"),
        ("raise ImportError('use `pip install no-such-one`')", "skipped", "not installed: no-such-one"),
        ("self.skipTest('no GPU')", "inconclusive", "all tests were skipped"),
        ("raise OSError('We could not: offline mode')", "inconclusive", "needs files of the Hub"),
        ("__import__('os')._exit(0)", "inconclusive", "no test showed anything"),
    ],
)
def test_the_common_tests_are_run(body: str, status: str, words: str, root: Path) -> None:
    write(root, {TEST: PASSING.format(body=body)})
    result = said(COMMON, root)
    assert result.status == status, result.message
    assert words in result.message
    assert "\x1b" not in result.message


def test_a_file_without_a_model_test_is_to_do(root: Path) -> None:
    write(root, {TEST: "def test_it(): ...\n"})
    assert "no class of the common tests" in said(COMMON, root).message


def test_generated_tests_are_run_where_they_were_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported_from(monkeypatch, None)
    context = context_with(tmp_path, MODEL_NAME="first")
    with listening() as heard:
        assert result_of(GENERATED, context).lacking
    assert f"path {tmp_path / TEST}" in heard
    write(tmp_path, {TEST: "def test_by_hand(): assert False\n"})
    assert result_of(GENERATED, context).lacking
    slow = "import os\n\n\ndef test_it():\n    assert os.environ['RUN_SLOW'] == '1'\n"
    write(tmp_path, {"tests/models/first/test_processing_first.py": f"{MARKER}\n{slow}"})
    result = result_of(GENERATED, context)
    assert (result.status, result.figures) == ("passed", {"passed": 1, "failed": 0, "skipped": 0})
    write(tmp_path, {"test_first_standalone.py": f"{MARKER}\ndef test_it(): assert False\n"})
    result = result_of(GENERATED, context)
    assert (result.status, result.figures) == ("failed", {"passed": 1, "failed": 1, "skipped": 0})


def test_generated_tests_in_the_checkout_are_run_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = checkout_at(tmp_path / "it", {TEST: f"{MARKER}\ndef test_it(): ...\n"})
    imported_from(monkeypatch, root)
    assert result_of(GENERATED, context_with(tmp_path / "work", MODEL_NAME="first")).status == "passed"


def test_a_folder_without_a_name_has_no_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported_from(monkeypatch, None)
    assert result_of(GENERATED, context_with(tmp_path, MODEL_NAME="123")).lacking


LOADING = f"""{MARKER}
from pathlib import Path

CHECKPOINT = "me/first"


def test_it():
    if not Path(CHECKPOINT).is_dir():
        raise OSError("We couldn't connect to 'https://huggingface.co' to load the files")
    assert Path(CHECKPOINT, "config.json").read_text() == "{{}}"
"""
WORDS = "not on the Hub yet, loaded from"


def of_generated(root: Path, **constants: Any) -> CheckResult:
    return result_of(GENERATED, context_with(root, MODEL_NAME="first", **constants))


def test_before_the_upload_the_converted_folder_stands_for_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported_from(monkeypatch, None)
    write(tmp_path, {"test_first_standalone.py": LOADING})
    result = of_generated(tmp_path, HUB_ID="me/first")
    assert (result.status, "porting convert converted" in result.hint) == ("inconclusive", True)
    write(tmp_path, {"converted/config.json": "{}", "converted/README.md": "card"})
    with listening() as heard:
        result = of_generated(tmp_path, HUB_ID="me/first")
    assert result.status == "passed", result.message
    assert (result.figures[WORDS], result.figures["passed"]) == ("converted", 1)
    assert {"constant HUB_ID", "constant REVISION", f"path {tmp_path / 'converted/config.json'}"} <= heard
    assert f"path {tmp_path / 'converted/README.md'}" not in heard
    write(tmp_path, {"converted/config.json": "[]"})
    assert of_generated(tmp_path, HUB_ID="me/first").status == "failed"


def test_once_a_revision_is_named_the_tests_load_from_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported_from(monkeypatch, None)
    write(tmp_path, {"test_first_standalone.py": LOADING, "converted/config.json": "{}"})
    result = of_generated(tmp_path, HUB_ID="me/first", REVISION="0123abc")
    assert (result.status, "needs files of the Hub" in result.message) == ("inconclusive", True)
    assert of_generated(tmp_path, HUB_ID="me/second").status == "inconclusive"


def test_what_is_here_of_the_hub_is_taken_before_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported_from(monkeypatch, None)
    write(tmp_path, {"test_first_standalone.py": f"{MARKER}\ndef test_it(): ...\n", "converted/config.json": "{}"})
    result = of_generated(tmp_path, HUB_ID="me/first")
    assert (result.status, WORDS in result.figures) == ("passed", False)

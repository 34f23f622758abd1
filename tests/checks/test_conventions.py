"""How a port's files are written: structure, linting, docstrings, and what was left to be filled in."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from checked import context_with, result_of
from torch import nn
from transformers import BertConfig, BertModel

from porting.checks import CheckResult
from porting.linting.mlinter import is_installed

MODELING = '''
"""A port."""

from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
{imports}

class FirstConfig(PreTrainedConfig):
    """Its settings."""

    model_type = "first-written"


class FirstPreTrainedModel(PreTrainedModel):
    """What its models share."""

    config_class = FirstConfig
{middle}

class FirstModel({base}):
    {docstring}

    def __init__(self, config):
        super().__init__(config)
        self.layer = nn.Linear(2, 2)
        self.post_init()

    def forward(self, hidden_states):
        """Map them."""
        {body}


__all__ = ["FirstConfig", "FirstModel", "FirstPreTrainedModel"]
'''
RIGHT = {
    "imports": "",
    "middle": "",
    "base": "FirstPreTrainedModel",
    "docstring": '"""Maps two numbers."""',
    "body": "return self.layer(hidden_states)",
}
STRUCTURE, LINT, DOCS, LEFT = "check_structure", "check_mlinter", "check_docstrings", "check_no_placeholders"


def port_of(folder: Path, **parts: str) -> Any:
    path = folder / "modeling_first.py"
    path.write_text(MODELING.format(**{**RIGHT, **parts}))
    name = f"modeling_first_{folder.name.replace('-', '_')}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        return module.FirstModel(module.FirstConfig())
    finally:
        del sys.modules[name]


def checked(name: str, model: nn.Module, folder: Path) -> CheckResult:
    sys.modules.setdefault(type(model).__module__, importlib.util.module_from_spec(_spec(model, folder)))
    try:
        return result_of(name, context_with(folder, ported=lambda: model))
    finally:
        if type(model).__module__.startswith("modeling_first_"):
            del sys.modules[type(model).__module__]


def _spec(model: nn.Module, folder: Path) -> Any:
    return importlib.util.spec_from_file_location(type(model).__module__, folder / "modeling_first.py")


@pytest.mark.parametrize("name", [STRUCTURE, DOCS, LEFT])
def test_a_right_file_passes(name: str, tmp_path: Path) -> None:
    assert checked(name, port_of(tmp_path), tmp_path).status == "passed"


MISTAKES: dict[str, tuple[str, dict[str, str], str]] = {
    "a third level": (
        STRUCTURE,
        {"middle": '\n\nclass Middle(FirstPreTrainedModel):\n    """Between."""\n', "base": "Middle"},
        "3 levels of inheritance: FirstModel < Middle < FirstPreTrainedModel",
    ),
    "another model's code": (
        STRUCTURE,
        {"imports": "from transformers.models.bert.modeling_bert import BertLayer"},
        "modeling_first.py:6 imports from the files of bert",
    ),
    "no docstring": (DOCS, {"docstring": "scale = 1"}, "class FirstModel has no docstring"),
    "a template's text": (LEFT, {"docstring": '"""The <INSERT NAME> model."""'}, "<INSERT NAME> is to be replaced"),
    "a template's field": (
        LEFT,
        {"docstring": '"""{{ cookiecutter.modelname }}"""'},
        "{{ cookiecutter.modelname }} is to be replaced",
    ),
    "a guide's brackets": (LEFT, {"docstring": '"""See [link to paper]."""'}, "[link to paper] is to be replaced"),
    "a guide's name": (LEFT, {"imports": "# as in brand_new_bert"}, "brand_new_bert is to be replaced"),
    "a docstring to come": (LEFT, {"docstring": '"""TODO: write this."""'}, "the docstring of FirstModel is still"),
    "an empty body": (LEFT, {"body": "..."}, "forward has no body but ..."),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_file_is_named_with_its_line(mistake: str, tmp_path: Path) -> None:
    name, parts, words = MISTAKES[mistake]
    result = checked(name, port_of(tmp_path, **parts), tmp_path)
    assert result.status == "failed"
    assert words in result.message.partition("\n")[0]


@pytest.mark.parametrize(
    "text",
    [
        '"""Maps two numbers, as in the [link](https://example.org) of its authors."""',
        "links = [link for link in ()]",
        "link = 0; both = [link, link]; first = both[link]",
    ],
)
def test_links_and_code_are_no_placeholders(text: str, tmp_path: Path) -> None:
    name = "docstring" if text.startswith('"') else "imports"
    assert checked(LEFT, port_of(tmp_path, **{name: text}), tmp_path).status == "passed"


def test_comments_for_developers_are_left_alone(tmp_path: Path) -> None:
    model = port_of(tmp_path, imports="# TODO: make it faster")
    assert checked(LEFT, model, tmp_path).status == "passed"


def test_a_file_that_came_with_transformers_passes_or_says_so(tmp_path: Path) -> None:
    model = BertModel(BertConfig(hidden_size=8, num_attention_heads=2, num_hidden_layers=1, intermediate_size=8))
    found = {name: checked(name, model, tmp_path) for name in (STRUCTURE, LINT, DOCS, LEFT)}
    assert {name: result.status for name, result in found.items()} == {
        STRUCTURE: "passed", LINT: "skipped", DOCS: "passed", LEFT: "passed",
    }  # fmt: skip
    assert "lints its own files" in found[LINT].message


def test_a_port_written_elsewhere_has_no_conventions_yet(tmp_path: Path) -> None:
    for name in (STRUCTURE, LINT, DOCS, LEFT):
        result = checked(name, nn.Linear(2, 2), tmp_path)
        assert (result.status, "not written in a modeling_*.py" in result.message) == ("skipped", True)


MLINTER = """
import json, sys

found = {findings}
target = sys.argv[sys.argv.index("--output-json") + 1]
json.dump({{"findings": found, "rules": {{}}}}, open(target, "w"))
sys.exit({code})
"""


@pytest.mark.parametrize(("code", "status"), [(0, "passed"), (1, "failed"), (2, "error")])
def test_what_mlinter_finds_refutes(code: int, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "extra" / "mlinter"
    package.mkdir(parents=True)
    findings = [{"path": "x", "line": 7, "rule": "TRF012", "message": "TRF012: in place \x1b[31m"}] if code else []
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(MLINTER.format(findings=json.dumps(findings), code=code))
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.syspath_prepend(str(package.parent))
    result = checked(LINT, port_of(tmp_path), tmp_path)
    assert result.status == status
    if status == "failed":
        assert "line 7: TRF012 in place \\x1b[31m" in result.message


def test_mlinter_is_asked_for_where_it_is_missing(tmp_path: Path) -> None:
    if is_installed():
        pytest.skip("mlinter is installed here")
    result = checked(LINT, port_of(tmp_path), tmp_path)
    assert (result.status, "pip install transformers-mlinter" in result.message) == ("skipped", True)

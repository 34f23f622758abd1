from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
import torch
from rich.console import Console
from safetensors.torch import save_file

from porting.cli.weights import audit, command, run
from porting.errors import CheckpointError, PortfileError
from porting.portfile import Portfile

if TYPE_CHECKING:
    from pathlib import Path

    from porting.weights import WeightsReport

PORTFILE = """
import torch

class Ported(torch.nn.Linear):
    def __init__(self, config):
        super().__init__(config["inputs"], 2)

def original(): ...
def inputs(): ...
def ported():
    torch.manual_seed(0)
    return Ported({"inputs": 3})
"""
META = """
def config():
    return {"inputs": 3}
def ported_class():
    return Ported
def ported():
    raise AssertionError("the live model is not needed")
"""
CHECKPOINT = """
def checkpoint():
    return "original.safetensors"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_file({"weight": torch.ones(2, 3), "bias": torch.ones(2)}, tmp_path / "original.safetensors")
    return tmp_path


def portfile(folder: Path, *parts: str) -> Portfile:
    path = folder / "portfile.py"
    path.write_text(PORTFILE + "".join(parts))
    return Portfile.load(path)


def test_the_portfiles_checkpoint_is_checked_against_its_class_on_meta(folder: Path) -> None:
    report = run(portfile(folder, META, CHECKPOINT), None, strict=False)
    assert report.ok
    assert report.matched == 2


def test_without_a_config_the_live_model_is_checked(folder: Path) -> None:
    assert run(portfile(folder), folder / "original.safetensors", strict=True).ok


def test_a_named_checkpoint_goes_before_the_portfiles(folder: Path) -> None:
    other = folder / "other.safetensors"
    save_file({"weight": torch.ones(2, 3)}, other)
    report = run(portfile(folder, CHECKPOINT), other, strict=False)
    assert report.to_dict()["missing"] == ["bias"]


def test_the_portfiles_rules_are_applied(folder: Path) -> None:
    other = folder / "other.safetensors"
    save_file({"w": torch.ones(2, 3), "bias": torch.ones(2)}, other)
    assert run(portfile(folder, 'def rules():\n    return {"w": "weight"}\n'), other, strict=False).ok


def test_rules_that_return_nothing_are_an_error_that_says_so(folder: Path) -> None:
    with pytest.raises(PortfileError, match=r"rules\(\) returned None"):
        run(portfile(folder, META, CHECKPOINT, "def rules():\n    []\n"), None, strict=False)


def test_a_mistake_in_a_rule_says_what_to_do_about_it(folder: Path) -> None:
    rules = "def rules():\n    from porting.weights import Rename\n    return [Rename('a.{i:e}', 'b.{i}')]\n"
    with pytest.raises(PortfileError, match=r"no kind of field \(portfile.py, line") as raised:
        run(portfile(folder, META, CHECKPOINT, rules), None, strict=False)
    assert "run it alone" not in raised.value.hint


def test_what_is_missing_alone_leads_to_rules(folder: Path) -> None:
    save_file({"bias": torch.ones(2)}, folder / "original.safetensors")
    report = run(portfile(folder, META, CHECKPOINT), None, strict=False)
    lines = shown_lines(report)
    assert lines[-1].startswith("Next: make what is missing with a rule (porting weights --infer proposes some)")


def shown_lines(report: WeightsReport) -> list[str]:
    console = Console(width=200, file=io.StringIO())
    console.print(report)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().strip().splitlines()


def test_no_checkpoint_at_all_and_a_missing_one_are_errors(folder: Path) -> None:
    with pytest.raises(PortfileError, match="no checkpoint"):
        run(portfile(folder), None, strict=False)
    with pytest.raises(CheckpointError, match="No such file"):
        run(portfile(folder), folder / "none.safetensors", strict=False)


LIVE = """
def ported():
    torch.manual_seed(0)
    model = Ported({"inputs": 3})
    torch.nn.init.ones_(model.weight)
    return model
"""


def test_an_audit_compares_the_values_of_the_live_port(folder: Path) -> None:
    report = audit(portfile(folder, CHECKPOINT, LIVE), None, strict=False)
    assert report.to_dict()["compared"] == "values"
    assert report.to_dict()["causes"] == {"bias": "not-loaded"}
    assert report.text().count("not-loaded") == 1
    assert "porting weights --audit" in report.text()


def test_an_audit_that_finds_something_exits_with_1(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    portfile(folder, CHECKPOINT)
    options = ["--audit", "--json", "--portfile", str(folder / "portfile.py")]
    assert command.main(options, standalone_mode=False) == 1
    assert json.loads(capfd.readouterr().out)["causes"] == {"weight": "not-loaded", "bias": "not-loaded"}

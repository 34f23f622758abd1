from __future__ import annotations

import copy
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import nn

from porting.checklist import Checklist, make_checklist
from porting.checks.running.settled import (
    record_capture,
    record_conversion,
    record_tests,
    record_verification,
    record_weights,
)
from porting.evidence import FILE, newest_records
from porting.portfile import Portfile, command_line
from porting.recipe import STEPS
from porting.recording import Recording
from porting.report.checklist import render_checklist
from porting.stubs import GeneratedTests
from porting.verification import Verification, verify
from porting.weights import WeightsReport
from porting.weights.conversion import Conversion

PORTFILE = "def original(): ...\ndef ported(): ...\ndef inputs(): ...\n"


@pytest.fixture
def portfile(tmp_path: Path) -> Portfile:
    path = tmp_path / "portfile.py"
    path.write_text(PORTFILE)
    return Portfile.load(path)


def verified(*, shift: float = 0.0, training: bool = False) -> Verification:
    torch.manual_seed(0)
    original = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 3)).train(training)
    ported = copy.deepcopy(original).eval()
    with torch.no_grad():
        ported.get_parameter("2.bias").add_(shift)
    return verify(original, ported, (torch.randn(2, 5, 4),))


def states(checklist: Checklist) -> dict[int, str]:
    return {step.step.number: step.state for step in checklist.steps}


def printed(checklist: Checklist) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(render_checklist(checklist))
    return capture.get()


def test_the_recipe_has_14_steps_two_of_them_optional() -> None:
    assert [step.number for step in STEPS] == list(range(1, 15))
    assert [step.number for step in STEPS if step.optional] == [1, 13]


def test_claims_are_unique_and_steps_say_what_is_left_to_a_person() -> None:
    names = [claim.name for step in STEPS for claim in step.claims]
    assert len(names) == len(set(names)) > 0
    for step in STEPS:
        assert bool(step.claims) == (step.verified != "person")
        assert bool(step.left) == (step.verified == "partly")


def test_without_evidence_nothing_is_done(portfile: Portfile) -> None:
    checklist = make_checklist(portfile)
    assert set(states(checklist).values()) == {"to do", "by hand"}
    assert checklist.to_dict()["next"]["command"].startswith("porting verify")
    assert (checklist.next.step, checklist.exit_code) == (4, 0)


def test_a_match_does_step_7_and_step_4_as_far_as_a_program_can(portfile: Portfile) -> None:
    assert record_verification(portfile, verified()) is None
    checklist = make_checklist(portfile)
    assert (states(checklist)[4], states(checklist)[7]) == ("to do", "done")
    assert [claim.state for claim in checklist.steps[3].claims] == ["passed", "passed", "to do"]
    figures = newest_records(portfile)["outputs-equal"].figures
    assert figures == {"max abs": 0.0, "outputs": 1, "atol": 1e-3, "rtol": 1e-3, "verdict": "match"}
    judged = newest_records(portfile)["layers-equal"].figures["modules judged"]
    assert isinstance(judged, int)
    assert judged >= 3


@pytest.mark.parametrize(
    ("shift", "verdict", "claims"),
    [
        (1.0, "mismatch", ("failed", "failed")),
        (3e-4, "suspicious", ("passed", "failed")),
    ],
)
def test_a_difference_fails_step_7_also_where_the_tolerance_hides_it(
    portfile: Portfile, shift: float, verdict: str, claims: tuple[str, str]
) -> None:
    verification = verified(shift=shift)
    assert verification.verdict == verdict
    record_verification(portfile, verification)
    record_weights(portfile, WeightsReport(checkpoint="model.safetensors", total=3, matched=3))
    found = newest_records(portfile)
    assert (found["outputs-equal"].result, found["layers-equal"].result) == claims
    checklist = make_checklist(portfile)
    assert states(checklist)[7] == "failed"
    assert checklist.next.step == 7
    assert checklist.next.text.startswith("failed: ")


@pytest.mark.parametrize("change", [{"uncovered": ("head.weight",)}, {"uncovered": ("head.weight",), "culprits": ()}])
def test_an_inconclusive_verification_is_not_done(portfile: Portfile, change: dict[str, Any]) -> None:
    record_verification(portfile, replace(verified(), **change))
    assert states(make_checklist(portfile))[7] == "inconclusive"


def test_an_original_in_training_mode_fails_step_4(portfile: Portfile) -> None:
    record_verification(portfile, verified(training=True))
    assert states(make_checklist(portfile))[4] == "failed"


def test_a_trace_that_does_not_say_its_mode_leaves_it_open(portfile: Portfile) -> None:
    verification = verified()
    silent = replace(verification.original, run={})
    record_verification(portfile, replace(verification, original=silent))
    assert states(make_checklist(portfile))[4] == "inconclusive"


def conversion(portfile: Portfile, audit: WeightsReport | None) -> Conversion:
    weights = WeightsReport(checkpoint="model.safetensors", total=3, matched=3)
    folder = portfile.folder / "converted"
    return Conversion("model.safetensors", folder, weights, (), 0, 1, {"model.safetensors": "0"}, {}, {}, audit)


def test_names_and_shapes_alone_never_do_step_6(portfile: Portfile) -> None:
    values = WeightsReport(checkpoint="model.safetensors", total=3, matched=3, values=True)
    record_weights(portfile, WeightsReport(checkpoint="model.safetensors", total=3, matched=3))
    checklist = make_checklist(portfile)
    assert states(checklist)[6] == "to do"
    assert "every tensor of the port has" in printed(checklist)
    record_weights(portfile, values)
    record_conversion(portfile, conversion(portfile, values))
    assert states(make_checklist(portfile))[6] == "partly"
    record_conversion(portfile, conversion(portfile, None))
    assert newest_records(portfile)["converted"].result == "passed"
    record_weights(portfile, WeightsReport(checkpoint="model.safetensors", total=3, matched=0))
    assert states(make_checklist(portfile))[6] == "failed"


def test_a_written_test_is_part_of_step_8(portfile: Portfile) -> None:
    path = portfile.folder / "tests" / "test_it.py"
    record_tests(portfile, GeneratedTests({path: ""}, "ItTest", ("logits",), 1e-4, 1e-4))
    assert states(make_checklist(portfile))[8] == "partly"
    assert newest_records(portfile)["integration-test"].figures["file"] == "tests/test_it.py"


def test_everything_goes_stale_with_the_portfile(portfile: Portfile) -> None:
    record_verification(portfile, verified())
    portfile.path.write_text(PORTFILE + "# changed\n")
    checklist = make_checklist(Portfile.load(portfile.path))
    assert (states(checklist)[4], states(checklist)[7]) == ("stale", "stale")
    assert "has changed" in checklist.next.text


def test_when_all_claims_hold_the_rest_is_by_hand(portfile: Portfile) -> None:
    record_verification(portfile, verified())
    record_weights(portfile, WeightsReport(checkpoint="model.safetensors", total=3, matched=3))
    values = WeightsReport(checkpoint="model.safetensors", total=3, matched=3, values=True)
    record_weights(portfile, values)
    record_conversion(portfile, conversion(portfile, values))
    record_tests(portfile, GeneratedTests({portfile.folder / "test_it.py": ""}, "ItTest", ("logits",), 1e-4, 1e-4))
    repeated = Recording(((portfile.folder / "original", verified().original),), repeats=2)
    record_capture(portfile, repeated)
    checklist = make_checklist(portfile)
    assert checklist.next.command is None
    assert "by hand" in printed(checklist).splitlines()[-1]
    assert checklist.summary() == "checklist of 14 steps: 2 done, 2 partly, 10 by hand"


def test_the_next_command_names_a_portfile_that_is_not_the_default() -> None:
    assert command_line("portfile.py", "verify") == "porting verify"
    assert command_line("my ports/bert.py", "verify") == "porting verify --portfile 'my ports/bert.py'"


def test_figures_from_the_file_reach_the_terminal_as_text_only(portfile: Portfile) -> None:
    record_verification(portfile, verified())
    document = json.loads((portfile.folder / FILE).read_text())
    document["records"][0]["figures"] = {"[bold]name": "\x1b[31m[link=x]\u202e", "n": None}
    (portfile.folder / FILE).write_text(json.dumps(document))
    text = printed(make_checklist(portfile))
    assert "[bold]name" in text
    assert "\x1b[31m[link" not in text
    assert "\u202e" not in text


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "porting", *arguments], cwd=folder, capture_output=True, text=True)


def test_the_command_reports_and_exits_with_0(portfile: Portfile) -> None:
    shown = run(portfile.folder, "checklist", "--json")
    document = json.loads(shown.stdout)
    assert shown.returncode == 0
    assert [step["number"] for step in document["steps"]] == list(range(1, 15))
    assert {"number", "title", "state", "optional", "claims"} <= set(document["steps"][0])
    assert document["next"] == {
        "step": 4,
        "text": "to do: a trace of the original's forward exists",
        "command": "porting verify",
    }


@pytest.mark.parametrize("name", ["missing.py", "broken.py"])
def test_a_missing_or_broken_portfile_exits_with_4(portfile: Portfile, name: str) -> None:
    (portfile.folder / "broken.py").write_text("1/0\n")
    assert run(portfile.folder, "checklist", "--portfile", name).returncode == 4


def test_damaged_evidence_exits_with_4_and_says_what_to_delete(portfile: Portfile) -> None:
    (portfile.folder / FILE).write_text("{")
    shown = run(portfile.folder, "checklist")
    assert shown.returncode == 4
    assert "delete it" in shown.stderr

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from porting.checks.running.settled import (
    record_capture,
    record_conversion,
    record_tests,
    record_verification,
    record_weights,
)
from porting.evidence import newest_records
from porting.portfile import Portfile, command_line
from porting.recording import Recording
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


def results(portfile: Portfile) -> dict[str, str]:
    return {name: record.result for name, record in newest_records(portfile).items()}


def test_a_match_is_kept_with_its_figures(portfile: Portfile) -> None:
    assert record_verification(portfile, verified()) is None
    found = newest_records(portfile)
    assert (found["original-runs"].result, found["original-in-eval-mode"].result) == ("passed", "passed")
    figures = {"max abs": 0.0, "outputs": 1, "atol": 1e-3, "rtol": 1e-3, "verdict": "match"}
    assert found["outputs-equal"].figures == figures
    judged = found["layers-equal"].figures["modules judged"]
    assert isinstance(judged, int)
    assert judged >= 3


@pytest.mark.parametrize(
    ("shift", "verdict", "claims"),
    [
        (1.0, "mismatch", ("failed", "failed")),
        (3e-4, "suspicious", ("passed", "failed")),
    ],
)
def test_a_difference_fails_also_where_the_tolerance_hides_it(
    portfile: Portfile, shift: float, verdict: str, claims: tuple[str, str]
) -> None:
    verification = verified(shift=shift)
    assert verification.verdict == verdict
    record_verification(portfile, verification)
    found = results(portfile)
    assert (found["outputs-equal"], found["layers-equal"]) == claims


@pytest.mark.parametrize("change", [{"uncovered": ("head.weight",)}, {"uncovered": ("head.weight",), "culprits": ()}])
def test_an_inconclusive_verification_is_kept_as_such(portfile: Portfile, change: dict[str, Any]) -> None:
    record_verification(portfile, replace(verified(), **change))
    assert results(portfile)["layers-equal"] == "inconclusive"


def test_an_original_in_training_mode_is_a_failure(portfile: Portfile) -> None:
    record_verification(portfile, verified(training=True))
    assert results(portfile)["original-in-eval-mode"] == "failed"


def test_a_trace_that_does_not_say_its_mode_shows_nothing(portfile: Portfile) -> None:
    verification = verified()
    silent = replace(verification.original, run={})
    record_verification(portfile, replace(verification, original=silent))
    assert results(portfile)["original-in-eval-mode"] == "inconclusive"


def conversion(portfile: Portfile, audit: WeightsReport | None) -> Conversion:
    weights = WeightsReport(checkpoint="model.safetensors", total=3, matched=3)
    folder = portfile.folder / "converted"
    return Conversion("model.safetensors", folder, weights, (), 0, 1, {"model.safetensors": "0"}, {}, {}, audit)


def test_weights_are_kept_by_what_was_compared(portfile: Portfile) -> None:
    record_weights(portfile, WeightsReport(checkpoint="model.safetensors", total=3, matched=3))
    assert results(portfile) == {"names-and-shapes": "passed"}
    values = WeightsReport(checkpoint="model.safetensors", total=3, matched=3, values=True)
    record_weights(portfile, values)
    record_conversion(portfile, conversion(portfile, None))
    assert "converted" not in results(portfile)
    record_conversion(portfile, conversion(portfile, values))
    assert results(portfile) == {"names-and-shapes": "passed", "values": "passed", "converted": "passed"}
    record_weights(portfile, WeightsReport(checkpoint="model.safetensors", total=3, matched=0))
    assert results(portfile)["names-and-shapes"] == "failed"


def test_a_written_test_is_kept_with_its_file(portfile: Portfile) -> None:
    path = portfile.folder / "tests" / "test_it.py"
    record_tests(portfile, GeneratedTests({path: ""}, "ItTest", ("logits",), 1e-4, 1e-4))
    assert newest_records(portfile)["integration-test"].figures["file"] == "tests/test_it.py"


def test_a_second_run_of_the_original_is_kept(portfile: Portfile) -> None:
    record_capture(portfile, Recording(((portfile.folder / "original", verified().original),), repeats=2))
    assert results(portfile) == {"original-repeats": "passed"}


def test_a_command_names_a_portfile_that_is_not_the_default() -> None:
    assert command_line("portfile.py", "verify") == "porting verify"
    assert command_line("my ports/bert.py", "verify") == "porting verify --portfile 'my ports/bert.py'"

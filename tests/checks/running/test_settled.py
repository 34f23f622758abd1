from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from porting.checks import CheckContext
from porting.checks.running.settled import record_capture, record_conversion, record_verification
from porting.checks.running.settled import record_weights as record_report
from porting.evidence import newest_records
from porting.evidence.asking import listening
from porting.portfile import Portfile
from porting.recording import Recording
from porting.weights import WeightsReport, audit_loaded, check_weights
from porting.weights.conversion import Conversion

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    WritePortfile = Callable[..., Path]

CHECKPOINT = """
def checkpoint():
    return "checkpoint.safetensors"


def rules():
    from porting.weights import Rename

    return [Rename("first.{part}", "up.{part}"), Rename("last.{part}", "down.{part}")]
"""


def context_of(folder: Path, write: WritePortfile, damage: str = "pass", extra: str = "") -> CheckContext:
    return CheckContext(Portfile.load(write(folder, damage, extra)))


def results(context: CheckContext) -> dict[str, str]:
    return {name: record.result for name, record in newest_records(context.portfile).items()}


@pytest.mark.parametrize(
    ("damage", "outputs", "layers"),
    [
        ("pass", "passed", "passed"),
        ("model.down.bias.add_(3e-4)", "passed", "failed"),
        ("model.down.bias.add_(1)", "failed", "failed"),
    ],
)
def test_a_verification_settles_what_checks_say_of_it(
    tmp_path: Path, write_portfile: WritePortfile, damage: str, outputs: str, layers: str
) -> None:
    context = context_of(tmp_path, write_portfile, damage)
    assert record_verification(context) is None
    found = results(context)
    assert (found["check_outputs_equal"], found["check_hidden_states_equal"]) == (outputs, layers)
    assert (found["check_original_runs"], found["check_original_eval_mode"]) == ("passed", "passed")
    record = newest_records(context.portfile)["check_outputs_equal"]
    assert record.device == "cpu"
    assert {"function original", "function ported", "function outputs"} <= set(record.about)
    assert ("\n" in record.message) == (outputs == "failed")


def test_a_verification_builds_each_model_once(tmp_path: Path, write_portfile: WritePortfile) -> None:
    record_verification(context_of(tmp_path, write_portfile))
    assert (tmp_path / "built.txt").read_text() == "ported\n"


def test_a_wrong_name_among_expected_failures_leaves_no_evidence_and_a_warning(
    tmp_path: Path, write_portfile: WritePortfile
) -> None:
    context = context_of(tmp_path, write_portfile, extra='EXPECTED_FAILURES = {"check_x": "why"}')
    warning = record_verification(context)
    assert warning is not None
    assert "check_x" in warning
    assert results(context) == {}


@pytest.fixture
def weighed(tmp_path: Path, write_portfile: WritePortfile) -> CheckContext:
    context = context_of(tmp_path, write_portfile, extra=CHECKPOINT)
    save_file(dict(context.original_model.state_dict()), tmp_path / "checkpoint.safetensors")
    return context


def test_names_and_shapes_settle_two_checks_and_values_all(weighed: CheckContext) -> None:
    portfile, path = weighed.portfile, weighed.portfile.checkpoint()
    assert path is not None
    with listening() as asked:
        report = check_weights(path, weighed.ported_model, portfile.rules())
    assert record_report(CheckContext(portfile), report, asked) is None
    assert results(weighed) == {"check_weight_names": "passed", "check_weight_shapes": "passed"}
    about = newest_records(portfile)["check_weight_names"].about
    assert {"function rules", "function checkpoint"} <= set(about)
    record_report(weighed, audit_loaded(weighed.ported_model, path, portfile.rules()), asked)
    assert results(weighed)["check_weights_loaded"] == "passed"


def conversion(folder: Path, *, matched: int, audited: bool) -> Conversion:
    report = WeightsReport(checkpoint="model.safetensors", total=4, matched=matched, values=True)
    return Conversion("x.pt", folder, report, (), 0, 1, {"a": "0"}, {}, {}, report if audited else None)


def test_a_conversion_that_failed_is_a_failure_and_one_that_was_not_loaded_again_says_nothing(
    weighed: CheckContext,
) -> None:
    folder = weighed.portfile.folder / "converted"
    assert record_conversion(weighed, conversion(folder, matched=4, audited=False), ()) is None
    assert results(weighed) == {}
    assert record_conversion(weighed, replace(conversion(folder, matched=0, audited=True), dry_run=True), ()) is None
    assert results(weighed) == {}
    record_conversion(weighed, conversion(folder, matched=0, audited=True), ["function rules"])
    record = newest_records(weighed.portfile)["check_converted_folder"]
    assert (record.result, record.step) == ("failed", 12)
    assert "function rules" in record.about


@pytest.mark.parametrize(("labels", "result"), [((), "passed"), (("first",), "failed")])
def test_a_second_run_of_the_original_settles_whether_it_repeats(
    tmp_path: Path, write_portfile: WritePortfile, labels: tuple[str, ...], result: str
) -> None:
    context = context_of(tmp_path, write_portfile)
    trace = context.trace("original")
    once = Recording(((tmp_path / "original", trace),))
    assert record_capture(context, once, ()) is None
    assert results(context) == {}
    twice = Recording(once.traces, repeats=2, differing=((tmp_path / "original", labels),))
    record_capture(context, twice, ["function original"])
    record = newest_records(context.portfile)["check_original_repeats"]
    assert (record.result, record.figures["differing"]) == (result, len(labels))
    assert "function original" in record.about


def test_a_gpu_or_the_cpu_is_named(tmp_path: Path, write_portfile: WritePortfile) -> None:
    from porting.evidence.circumstances import device_of

    assert device_of([]) == ""
    assert device_of([torch.nn.Linear(1, 1)]) == "cpu"
    assert device_of([torch.nn.Linear(1, 1, device="meta")]) == "meta"

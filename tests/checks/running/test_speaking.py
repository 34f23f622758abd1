from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from porting.checks import Check, CheckContext, CheckReport, record_checks, run_check, run_checks
from porting.evidence import newest_records
from porting.portfile import Portfile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    WritePortfile = Callable[..., Path]

EXTRA = """
def samples():
    return Path("samples.txt").read_text().split()


def config():
    return {"size": 3}


def conversations():
    import click
    import numpy

    return [click.style("a"), numpy.nan]
"""


def spoken(context: CheckContext, function: Callable[[CheckContext], Any], name: str = "check_own") -> set[str]:
    """The subjects of a check of the user's own, but for its entry in EXPECTED_FAILURES."""
    result = run_check(Check(name, 7, function), context)
    assert record_checks(context, CheckReport((result,))) is None
    about = set(newest_records(context.portfile)[name].about)
    assert f"expected {name}" in about
    return about - {f"expected {name}"}


@pytest.fixture
def context(tmp_path: Path, write_portfile: WritePortfile) -> CheckContext:
    (tmp_path / "samples.txt").write_text("a b")
    return CheckContext(Portfile.load(write_portfile(tmp_path, extra=EXTRA)))


def test_a_check_speaks_of_what_it_asks_for_and_nothing_else(context: CheckContext) -> None:
    assert spoken(context, lambda _: {}) == set()
    assert spoken(context, lambda asked: {"size": asked.portfile.config()["size"]}) == {"function config"}
    found = spoken(context, lambda asked: {"count": len(asked.returned("samples"))})
    assert found == {"function samples", "file samples.txt"}
    found = spoken(context, lambda asked: {"count": len(asked.returned("conversations"))})
    assert found == {"function conversations", "version click"}
    assert spoken(context, lambda asked: {"has": "rules" in asked.portfile.functions}) == {"function rules"}
    assert spoken(context, lambda asked: {"atol": asked.portfile.tolerance().atol}) == {"constant TOLERANCE"}


def test_what_an_earlier_check_made_is_spoken_of_by_every_check_that_takes_it(context: CheckContext) -> None:
    first = spoken(context, lambda asked: {"calls": len(asked.verification.ported.calls)}, "check_first")
    again = spoken(context, lambda asked: {"calls": len(asked.verification.ported.calls)}, "check_again")
    assert {"function original", "function ported", "function inputs", "version torch"} <= first == again
    assert "function samples" not in first


def test_a_check_that_is_refuted_or_raises_speaks_of_what_it_asked_for(context: CheckContext) -> None:
    def breaks(asked: CheckContext) -> dict[str, Any]:
        asked.portfile.config()
        raise ZeroDivisionError

    report = run_checks(context, ["weight_names"])
    assert {"function checkpoint"} <= {topic for result in report.results for topic in result.asked}
    with pytest.raises(ZeroDivisionError):
        spoken(context, breaks)


def test_the_class_alone_is_spoken_of_without_its_weights(tmp_path: Path, write_portfile: WritePortfile) -> None:
    (tmp_path / "weights.txt").write_text("1")
    loading = 'assert Path("weights.txt").read_text() == "1"'
    context = CheckContext(Portfile.load(write_portfile(tmp_path, loading)))
    kind = spoken(context, lambda asked: {"name": asked.ported_kind.__name__})
    live = spoken(context, lambda asked: {"name": type(asked.ported_model).__name__})
    assert live - kind == {"file weights.txt"}
    assert {"function ported", "version torch", "version transformers"} <= kind


def test_what_one_side_did_is_spoken_of_without_the_other(context: CheckContext) -> None:
    original = spoken(context, lambda asked: {"calls": len(asked.trace("original").calls)}, "check_original_side")
    ported = spoken(context, lambda asked: {"calls": len(asked.trace("ported").calls)}, "check_ported_side")
    assert {"function original", "function inputs", "function run_original"} <= original
    assert {"function ported", "function inputs", "function run_ported"} <= ported
    together = {"function outputs", "function valid_positions", "constant TOLERANCE", "constant MODULE_MAP"}
    assert not original & (together | ported & {"function ported", "function run_ported", "function ported_inputs"})
    assert not ported & (together | {"function original", "function run_original", "function original_inputs"})


def test_inputs_of_the_other_side_are_not_spoken_of(tmp_path: Path, write_portfile: WritePortfile) -> None:
    extra = "def original_inputs():\n    import torch\n\n    return {'x': torch.ones(2, 3)}\n"
    context = CheckContext(Portfile.load(write_portfile(tmp_path, extra=extra)))
    found = spoken(context, lambda asked: {"calls": len(asked.trace("original").calls)})
    assert "function original_inputs" in found
    assert "function inputs" not in found


def test_a_reason_for_a_failure_belongs_to_its_check_alone(tmp_path: Path, write_portfile: WritePortfile) -> None:
    extra = 'EXPECTED_FAILURES = {"check_weights_tied": "a reason"}'
    context = CheckContext(Portfile.load(write_portfile(tmp_path, extra=extra)))
    record_checks(context, run_checks(context, ["weights_tied", "eval_mode"]))
    records = newest_records(context.portfile)
    assert records["check_weights_tied"].about["expected check_weights_tied"] == "a reason"
    assert records["check_eval_mode"].about["expected check_eval_mode"] == "absent"
    assert not any("EXPECTED_FAILURES" in subject for record in records.values() for subject in record.about)

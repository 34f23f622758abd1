from __future__ import annotations

import inspect
import json
import pkgutil
import random
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

import porting.checks
from porting.checks import (
    Check,
    CheckContext,
    CheckResult,
    Figures,
    Inconclusive,
    Skip,
    expected_failures,
    iterate_checks,
    run_check,
)
from porting.errors import CaptureError, MismatchError, PortfileError
from porting.portfile import Portfile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    WritePortfile = Callable[..., Path]

FILES = [
    info.name
    for info in pkgutil.iter_modules(porting.checks.__path__)
    if hasattr(import_module(f"porting.checks.{info.name}"), "CHECKS")
]
EXPECTED = 'EXPECTED_FAILURES = {"check_outputs_equal": "norm comes later"}'


@pytest.fixture
def context(tmp_path: Path, write_portfile: WritePortfile) -> CheckContext:
    return CheckContext(Portfile.load(write_portfile(tmp_path)))


@pytest.fixture
def expecting(tmp_path: Path, write_portfile: WritePortfile) -> CheckContext:
    return CheckContext(Portfile.load(write_portfile(tmp_path, extra=EXPECTED)))


@pytest.mark.parametrize("step", FILES)
def test_every_check_of_a_file_is_run_and_states_its_claim(step: str) -> None:
    module = import_module(f"porting.checks.{step}")
    written = {name for name, value in vars(module).items() if name.startswith("check_") and inspect.isfunction(value)}
    listed = {check.name: check for check in iterate_checks() if check.function.__module__ == module.__name__}
    assert set(listed) == written
    assert all(check.step == module.STEP and check.claim.endswith(".") for check in listed.values())


def test_checks_have_names_of_their_own() -> None:
    names = [check.name for check in iterate_checks()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("ending", "status", "code"),
    [
        (MismatchError("no"), "failed", 1),
        (Inconclusive("no"), "inconclusive", 3),
        (Skip("no"), "skipped", 0),
        (CaptureError("no"), "error", 4),
    ],
)
def test_how_a_check_ends_is_its_status(ending: Exception, status: str, code: int, context: CheckContext) -> None:
    result = run_check(_raising(ending), context)
    assert (result.status, result.message, result.exit_code) == (status, "no", code)


def test_what_an_ending_says_reaches_no_terminal_unescaped(context: CheckContext) -> None:
    result = run_check(_raising(MismatchError("up: wrong\n\x1b[31mred\u202e", hint="mend \x07")), context)
    assert (result.message, result.hint) == ("up: wrong\n\\x1b[31mred\\u202e", "mend \\x07")


def test_a_passed_check_has_its_figures(context: CheckContext) -> None:
    result = run_check(Check("check_mine", 3, lambda _: {"size": 2}), context)
    assert result == CheckResult("check_mine", 3, "passed", figures={"size": 2})
    assert result.ok


def test_what_is_not_raised_on_purpose_is_passed_on(context: CheckContext) -> None:
    with pytest.raises(ZeroDivisionError):
        run_check(_raising(ZeroDivisionError()), context)


@pytest.mark.parametrize("ending", [MismatchError("too far"), Inconclusive("too far")])
def test_an_expected_failure_is_fine_and_keeps_the_message(ending: Exception, expecting: CheckContext) -> None:
    result = run_check(_raising(ending), expecting)
    assert result.ok
    assert (result.status, result.message) == ("expected failure", "norm comes later\ntoo far")


def test_an_expected_failure_that_passes_is_failed(expecting: CheckContext) -> None:
    result = run_check(Check("check_outputs_equal", 7, lambda _: {}), expecting)
    assert (result.status, result.exit_code) == ("failed", 1)
    assert "norm comes later" in result.message


@pytest.mark.parametrize(("ending", "status"), [(CaptureError("no"), "error"), (Skip("no"), "skipped")])
def test_only_a_failure_is_an_expected_failure(ending: Exception, status: str, expecting: CheckContext) -> None:
    assert run_check(_raising(ending), expecting).status == status


def test_expected_failures_name_checks(tmp_path: Path, write_portfile: WritePortfile) -> None:
    path = write_portfile(tmp_path, extra='EXPECTED_FAILURES = {"check_weight_loaded": "later"}')
    with pytest.raises(PortfileError, match="did you mean check_weights_loaded"):
        expected_failures(Portfile.load(path))


def test_a_result_ends_with_what_to_do_next_and_is_json() -> None:
    result = CheckResult("check_mine", 3, "failed", "up: wrong\nmore", "mend up", {"max_abs": None})
    assert result.failure_message().splitlines()[-1] == "Next: mend up"
    assert result.summary() == "failed: check_mine: up: wrong"
    assert json.loads(json.dumps(result.to_dict()))["figures"] == {"max_abs": None}


def _raising(ending: Exception) -> Check:
    def check(context: CheckContext) -> Figures:
        raise ending

    return Check("check_outputs_equal", 7, check)


def test_a_check_leaves_the_random_states_as_they_were(context: CheckContext) -> None:
    def states() -> tuple[object, ...]:
        return random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()

    def check_something(context: CheckContext) -> Figures:
        random.random(), np.random.rand(), torch.rand(1)
        raise KeyboardInterrupt

    before = states()
    with pytest.raises(KeyboardInterrupt):
        run_check(Check("check_something", 1, check_something), context)
    assert states() == before


def test_figures_are_made_harmless_to_show() -> None:
    result = CheckResult("check_mine", 3, "passed", figures={"a\x1b\x00": "b\u202e\ud800"})
    assert result.to_dict()["figures"] == {r"a\x1b\x00": r"b\u202e\ud800"}

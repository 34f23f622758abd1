from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from tracing import forward_of, hook_count, outputs

from porting import capture
from porting.errors import CaptureError
from porting.runs import Inputs
from porting.trace import open_trace

X = torch.tensor([[1.0, -2.0, 3.0]])


def failing(error: BaseException) -> nn.Module:
    def fail(self: Any, x: torch.Tensor) -> Any:
        raise error

    return nn.Sequential(nn.Identity(), nn.Sequential(forward_of(fail)), nn.Identity())


def test_a_forward_that_raises_names_the_innermost_module() -> None:
    model = failing(ValueError("broken\x1b[31m"))
    with pytest.raises(CaptureError, match=r"the ported model's forward raised in 1\.0 \(Made\): ValueError: broken"):
        capture(model, (X,), side="ported")
    assert hook_count(model) == 0


def test_what_ran_before_a_failure_is_kept(tmp_path: Path) -> None:
    with pytest.raises(CaptureError) as caught:
        capture(failing(ValueError("broken")), (X,), folder=tmp_path / "trace")
    assert str(tmp_path / "trace") in caught.value.hint
    trace = open_trace(tmp_path / "trace", allow_failed=True)
    assert trace.failure is not None
    assert (trace.failure.path, trace.failure.class_name, trace.failure.error) == ("1.0", "Made", "ValueError: broken")
    assert outputs(trace) == {"": [], "0": [X.tolist()], "1": [], "1.0": []}


def test_an_exception_wrapped_on_its_way_is_still_that_of_the_innermost() -> None:
    def wrap(self: Any, x: torch.Tensor) -> Any:
        try:
            return self.part(x)
        except ValueError as error:
            raise RuntimeError("wrapped") from error

    with pytest.raises(CaptureError, match=r"raised in part\.1\.0 \(Made\): RuntimeError: wrapped"):
        capture(forward_of(wrap, part=failing(ValueError("broken"))), (X,))


def falls_back(self: Any, x: torch.Tensor) -> Any:
    try:
        return self.fast(x)
    except ValueError:
        return self.slow(self.other(x))


def test_a_model_may_catch_an_exception_of_its_own() -> None:
    model = forward_of(falls_back, fast=failing(ValueError("no")), slow=nn.ReLU(), other=nn.Identity())
    trace = capture(model, (X,))
    parents = {call.path: trace.calls[call.parent].path for call in trace.calls if call.parent is not None}
    assert parents == {"fast": "", "fast.0": "fast", "fast.1": "fast", "fast.1.0": "fast.1", "other": "", "slow": ""}
    raised = [call.path for call in trace.calls if call.outputs.leaves[0].type_name == "nothing: it raised"]
    assert raised == ["fast", "fast.1", "fast.1.0"]
    assert outputs(trace)["slow"] == outputs(trace)[""] == [X.relu().tolist()]


def test_a_failure_after_a_caught_one_is_told_apart() -> None:
    parts = {"fast": failing(ValueError("no")), "slow": nn.Linear(9, 9), "other": nn.Identity()}
    with pytest.raises(CaptureError, match=r"raised in slow \(Linear\): RuntimeError"):
        capture(forward_of(falls_back, **parts), (X,))


def test_a_run_may_catch_what_the_model_raises() -> None:
    def run(model: nn.Module, inputs: Inputs) -> Any:
        with pytest.raises(ValueError, match="broken"):
            model(*inputs.args)
        return model[0](*inputs.args)  # type: ignore[index]

    trace = capture(failing(ValueError("broken")), (X,), run=run)
    assert [(call.label, call.parent) for call in trace.calls][-1] == ("0@1", None)


def test_a_failure_outside_the_model_says_so() -> None:
    def run(model: nn.Module, inputs: Inputs) -> Any:
        model(*inputs.args)
        raise ValueError("of the run")

    with pytest.raises(CaptureError, match="the code that runs the model raised ValueError: of the run"):
        capture(nn.Identity(), (X,), run=run)


def test_a_forward_that_ends_the_program_is_told_from_its_run() -> None:
    def run(model: nn.Module, inputs: Inputs) -> Any:
        try:
            model(*inputs.args)
        except SystemExit:
            raise RuntimeError("it ended the program") from None

    with pytest.raises(CaptureError, match=r"raised in 1\.0 \(Made\): RuntimeError: it ended the program"):
        capture(failing(SystemExit(0)), (X,), run=run)


def test_an_interrupt_passes_and_leaves_the_model_clean(tmp_path: Path) -> None:
    model = failing(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        capture(model, (X,), folder=tmp_path / "trace")
    assert hook_count(model) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_calls_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    capture(nn.Identity(), (X,), folder=tmp_path / "trace")
    with pytest.raises(CaptureError, match="called no module"):
        capture(nn.Identity(), (X,), run=lambda model, inputs: None, folder=tmp_path / "trace")
    assert len(open_trace(tmp_path / "trace").calls) == 1


@pytest.mark.filterwarnings("ignore")
def test_a_module_compiled_in_place_is_refused() -> None:
    model = nn.Sequential(nn.Linear(3, 3))
    model[0].compile()
    with pytest.raises(CaptureError, match=r"0 \(Linear\) is compiled"):
        capture(model, (X,))


@pytest.mark.parametrize("valid", [torch.ones(1, 3, dtype=torch.int64), torch.ones(3, dtype=torch.bool)])
def test_valid_positions_of_another_kind_are_refused(valid: torch.Tensor) -> None:
    with pytest.raises(CaptureError, match="must be a bool tensor over"):
        capture(nn.Identity(), (X,), valid_positions=valid)


def test_a_hook_of_the_user_that_raises_is_a_failure_of_its_module() -> None:
    def refuse(*_: Any) -> None:
        raise ValueError("refused")

    model = nn.Sequential(nn.Sequential(nn.Identity()), nn.Identity())
    model[0][0].register_forward_pre_hook(refuse)  # type: ignore[index]
    with pytest.raises(CaptureError, match=r"raised in 0 \(Sequential\): ValueError: refused"):
        capture(model, (X,))
    assert hook_count(model) == 1

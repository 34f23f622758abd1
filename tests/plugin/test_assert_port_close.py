from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    WritePortfile = Callable[..., Path]
    RunPytest = Callable[..., pytest.RunResult]

EQUAL = """
import numpy as np
import pytest
import torch
from transformers.modeling_outputs import BaseModelOutput

X = torch.linspace(-1, 1, 24).reshape(2, 3, 4)
NAN = X.masked_fill(X > 0.9, float("nan"))
PAIRS = {
    "tensors": (X, X + 1e-5),
    "dtypes": (X.double(), X.float()),
    "dict": ({"a": X, "b": {"c": X}}, {"b": {"c": X}, "a": X}),
    "output and dict": (BaseModelOutput(last_hidden_state=X), {"last_hidden_state": X}),
    "output and tuple": (BaseModelOutput(last_hidden_state=X, hidden_states=(X, X)), (X, X, X)),
    "lists": ([X, 2], [X, 2]),
    "array": (X.numpy(), X),
    "nan at the same places": (NAN, NAN.clone()),
    "sparse": (X[0].to_sparse(), X[0]),
    "nothing for nothing": ({"a": X, "b": None}, {"a": X, "b": None}),
}

@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS.keys())
def test_equal(pair, assert_port_close):
    assert_port_close(*pair)

def test_padding_does_not_count(assert_port_close):
    valid = torch.tensor([[True, True, False], [True, True, True]])
    other = X.clone()
    other[0, 2] = 7
    assert_port_close(X, other, valid_positions=valid)

def test_small_outputs(assert_port_close):
    small = X.exp() / 50000
    assert_port_close(small, small * (1 + 1e-5))
    assert_port_close(X * 1e-9, X * -1e-9)
    assert_port_close(small, small.flip(0), atol=1e-3)
    with pytest.raises(AssertionError):
        assert_port_close(small, small.flip(-1))

def test_given_tolerance(assert_port_close):
    assert_port_close(X, X + 0.5, atol=1)

def test_models(assert_port_close):
    torch.manual_seed(0)
    one = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.GELU()).eval()
    torch.manual_seed(0)
    assert_port_close(one, torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.GELU()).eval(), (X,))
"""
DIFFERENT = """
import pytest
import torch

X = torch.linspace(-1, 1, 24).reshape(2, 3, 4)
PAIRS = {
    "values": ({"a": X, "b": X, "c": X}, {"a": X, "b": X + 1, "c": X - 2}),
    "broadcast": (X, X[:1]),
    "nan": (X, X.masked_fill(X > 0.9, float("nan"))),
    "missing": ({"a": X, "b": X}, {"a": X}),
    "longer": ((X,), (X, X)),
    "nothing": ({}, {}),
    "empty": (X[:0], X[:0]),
    "blank beside others": ({"a": X, "blank": X / 0}, {"a": X, "blank": X / 0}),
    "text": ({"a": "x"}, {"a": "x"}),
    "integers": (torch.tensor([1, 2]), torch.tensor([1, 3])),
    "sparse": (X[0].to_sparse(), 2 * X[0].to_sparse()),
    "without data": (X.to("meta"), X.to("meta")),
    "ids as float": (torch.tensor([2**24 + 1]), torch.tensor([2.0**24])),
    "a model and a tensor": (torch.nn.ReLU(), X),
}

@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS.keys())
def test_different(pair, assert_port_close):
    with pytest.raises(AssertionError) as caught:
        assert_port_close(*pair)
    print("SAID", caught.value.message)
    assert "Next: " in caught.value.message.splitlines()[-1]
"""
MODELS = """
import torch

X = torch.linspace(-1, 1, 24).reshape(2, 3, 4)

def model(act):
    torch.manual_seed(0)
    parts = {"first": torch.nn.Linear(4, 4), "act": act, "last": torch.nn.Linear(4, 4)}
    found = torch.nn.Sequential()
    for name, part in parts.items():
        found.add_module(name, part)
    return found.eval()

def test_models(assert_port_close):
    assert_port_close(model(torch.nn.GELU()), model(torch.nn.Tanh()), (X,))

def test_traces(assert_port_close):
    import porting
    traces = [porting.capture(model(act), (X,)) for act in (torch.nn.GELU(), torch.nn.Tanh())]
    assert_port_close(*traces)

class Raising(torch.nn.Module):
    def forward(self, x):
        raise ValueError("not today")

def test_raising(assert_port_close):
    assert_port_close(model(torch.nn.GELU()), Raising(), (X,))
"""


def test_what_is_equal_passes(pytester: pytest.Pytester, run_pytest: RunPytest) -> None:
    pytester.makepyfile(EQUAL)
    run_pytest().assert_outcomes(passed=14)


def test_what_differs_fails_with_all_that_differs_and_a_remedy(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makepyfile(DIFFERENT)
    result = run_pytest("-s")
    result.assert_outcomes(passed=14)
    for lines in (
        ["*SAID the port is not the original: output b: max abs 1 *", "Outputs that differ: 2 of 3", "  output b:"],
        ["*SAID *shape (1, 3, 4), the original has (2, 3, 4)"],
        ["*SAID *NaN or Inf at 2 places*"],
        ["Only once: b"],
        ["Only once: 1"],
        ["*SAID *nothing could be compared"],
        ["*SAID output blank: no finite element at a valid position: nothing could be compared"],
        ["*SAID a str at a cannot be compared*"],
        ["*SAID a Tensor cannot be compared: it has no data"],
        ["*SAID a ReLU and Tensor cannot be compared"],
    ):
        result.stdout.fnmatch_lines(lines)


def test_models_that_differ_are_told_by_the_module_at_fault(pytester: pytest.Pytester, run_pytest: RunPytest) -> None:
    pytester.makepyfile(MODELS)
    result = run_pytest()
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(
        [
            ">*assert_port_close(model(torch.nn.GELU()), model(torch.nn.Tanh()), (X,))",
            "E *act is the first module to diverge; the output: max abs *",
            "E *Culprit act (output):",
            "E *Next: mend act",
            ">*assert_port_close([*]traces)",
            "E *act is the first module to diverge; *",
            "E *Next: judge every module by itself: porting verify",
            ">*assert_port_close(model(torch.nn.GELU()), Raising(), (X,))",
            "E *the ported model's forward raised *not today*",
        ]
    )
    result.stdout.no_fnmatch_line("*closeness.py*")


TOLERANT = """
import torch

def test_own(assert_port_close):
    assert_port_close(torch.zeros(2), torch.full((2,), 0.05))
"""


@pytest.mark.parametrize(
    ("tolerance", "options", "ok"),
    [
        ("", [], False),
        ("", ["--porting-atol=0.1"], True),
        ("TOLERANCE = {'atol': 0.1}", [], True),
        ("TOLERANCE = {'atol': 0.1}", ["--porting-atol=0.01"], False),
    ],
)
def test_the_tolerance_is_that_of_the_portfile_or_the_run(
    tolerance: str,
    options: list[str],
    ok: bool,
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    write_portfile: WritePortfile,
) -> None:
    write_portfile(pytester.path, extra=tolerance)
    pytester.makepyfile(TOLERANT)
    given = (*options, "--porting-portfile", "portfile.py", "-k", "test_own") if tolerance else options
    outcomes = run_pytest(*given).parseoutcomes()
    assert outcomes.get("passed", 0) == int(ok)
    assert outcomes.get("failed", 0) == int(not ok)


def test_a_test_that_returns_what_it_meant_to_assert_fails(pytester: pytest.Pytester, run_pytest: RunPytest) -> None:
    pytester.makepyfile(
        "def test_own(assert_port_close): return False\ndef test_other(assert_port_close): assert_port_close(1.0, 1.0)"
    )
    run_pytest().assert_outcomes(failed=1, passed=1)

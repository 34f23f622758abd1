"""The inputs of a trace, as the port is run on them; what cannot be run on them is said."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
import torch
from toys import make_inputs, make_pair
from tracing import forward_of

from porting import Portfile, capture, open_trace, verify, verify_portfile
from porting.errors import PortfileError, TraceError
from porting.original.recorded import recorded_inputs, require_accepted
from porting.recorder import Recorder
from porting.runs import Inputs

X = torch.linspace(-1, 1, 12).reshape(3, 4)
Both = namedtuple("Both", "hidden pooled")
PORTFILE = """
ORIGINAL_TRACE = "trace"

def ported():
    from toys import make_pair

    return make_pair()[1]
"""


def linear(function: Any = None) -> torch.nn.Module:
    torch.manual_seed(0)
    return forward_of(function or (lambda self, *args, **kwargs: self.body(args[0])), body=torch.nn.Linear(4, 2))


def scaled(self: Any, x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
    result: torch.Tensor = self.body(x) * scale
    return result


def test_positional_and_keyword_arguments_come_back_as_they_were_given(tmp_path: Path) -> None:
    given = Inputs((X, {"deep": [X + 1, 2]}), {"flag": True, "none": None, "most": float("inf")})
    capture(linear(), given, folder=tmp_path / "trace")
    again = recorded_inputs(open_trace(tmp_path / "trace"))
    torch.testing.assert_close(again.args, given.args, rtol=0, atol=0)
    assert again.kwargs == given.kwargs


def test_numbers_that_are_not_finite_come_back_as_numbers_and_so_do_their_names() -> None:
    trace = capture(linear(lambda self, x, *rest: x), (X, float("-inf"), "inf", "infinite"))
    assert recorded_inputs(trace).args[1:] == (float("-inf"), float("inf"), "infinite")


def test_a_trace_is_verified_on_its_own_inputs() -> None:
    model = linear(scaled)
    verification = verify(capture(model, (X, 3.0)), model)
    assert verification.verdict == "match"
    assert verification.ported.inputs.leaves[1].value == 3.0


def test_live_models_need_inputs() -> None:
    with pytest.raises(PortfileError, match="there are no inputs"):
        verify(linear(), linear())


def test_its_valid_positions_count_where_nothing_else_says_what_does() -> None:
    valid = torch.tensor([[True, True, True, False]] * 3)
    model = torch.nn.Embedding(9, 2)
    ids = torch.arange(12).reshape(3, 4) % 9
    trace = capture(model, (ids,), valid_positions=valid)
    assert verify(trace, model, (ids,)).comparison.outputs[0].numbers.masked == 6


def test_a_port_that_takes_other_names_is_told_how_to_pass_them_on(tmp_path: Path) -> None:
    capture(make_pair()[0], make_inputs()[0], folder=tmp_path / "trace")
    (tmp_path / "portfile.py").write_text(PORTFILE)
    portfile = Portfile.load(tmp_path / "portfile.py")
    with pytest.raises(PortfileError, match="tokens, mask: its forward takes input_ids, attention_mask") as raised:
        verify_portfile(portfile)
    assert "def run_ported(model, inputs)" in raised.value.hint


def test_names_that_only_kwargs_would_swallow_are_not_taken() -> None:
    def forward(self: Any, input_ids: Any = None, **kwargs: Any) -> Any:
        return self.body(input_ids)

    class Port(torch.nn.Module):
        def forward(self, input_ids: Any = None, **kwargs: Any) -> Any:
            return input_ids

    with pytest.raises(PortfileError, match="no such names"):
        require_accepted(Port(), Inputs(kwargs={"tokens": X}))
    require_accepted(Port(), Inputs(kwargs={"input_ids": X, "use_cache": False}))
    require_accepted(Port(), Inputs((X,)))


def test_neither_inputs_nor_a_trace_is_said(tmp_path: Path) -> None:
    (tmp_path / "portfile.py").write_text(PORTFILE)
    with pytest.raises(TraceError, match=r"no inputs\(\) and no recorded ones: .*trace does not exist") as raised:
        Portfile.load(tmp_path / "portfile.py").inputs("original")
    assert "def inputs()" in raised.value.hint


def test_a_trace_without_its_inputs_is_said(tmp_path: Path) -> None:
    with Recorder(tmp_path / "trace", model="by.Hand") as taps:
        with taps.running():
            taps.tap("body", X.numpy(), {"x": X.numpy()})
        taps.result(outputs=X.numpy())
    with pytest.raises(TraceError, match="does not say what the run was given") as raised:
        verify(open_trace(tmp_path / "trace"), linear())
    assert "def inputs()" in raised.value.hint


def test_an_input_that_a_trace_does_not_hold_is_said() -> None:
    trace = capture(linear(), (X, object()))
    with pytest.raises(TraceError, match=r"does not hold its input args\.1 \(object\)"):
        verify(trace, linear())


@pytest.mark.parametrize("today", [(X, 2.0), (X + 1e-6, 3.0), (X.double() + 1e-12, 3.0), (X[:2], 3.0)])
def test_other_inputs_than_the_recorded_are_refused(today: tuple[Any, ...]) -> None:
    model = linear(scaled)
    with pytest.raises(TraceError, match=r"another args\.[01]") as raised:
        verify(capture(model, (X, 3.0)), model, today)
    assert "leave inputs() out" in raised.value.hint


@pytest.mark.parametrize("x", [X.sqrt(), X + 1j, X.bool()], ids=["nan", "complex", "bool"])
def test_equal_inputs_of_any_kind_are_accepted(x: torch.Tensor) -> None:
    model = linear(lambda self, x: self.body(x.nan_to_num().abs().float() if x.dtype != torch.bool else x.float()))
    assert verify(capture(model, (x,)), model, (x.clone(),)).verdict == "match"


def test_declared_outputs_may_unpack_what_was_recorded(tmp_path: Path) -> None:
    model = linear(lambda self, x: Both(self.body(x), self.body(x[:1])))

    def outputs(one: Any, other: Any) -> Any:
        hidden, pooled = one
        return [("hidden", hidden, other.hidden), ("pooled", pooled, other.pooled), ("first", one[0], other[0])]

    capture(model, (X,), folder=tmp_path / "trace")
    live = verify(model, model, (X,), outputs=outputs)
    assert live.verdict == "match"
    assert verify(open_trace(tmp_path / "trace"), model, outputs=outputs).to_dict() == live.to_dict()

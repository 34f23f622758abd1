from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from tracing import forward_of, returned, small

from porting import Trace, capture, open_trace
from porting.errors import TraceError
from porting.trace import Leaf, save_trace
from porting.trace.address import address_of, label_of


def twice(model: Any, x: torch.Tensor) -> Any:
    return {"a": model.part(x), "b": [model.part(x + 1)]}


def repeated() -> Trace:
    model = forward_of(twice, part=nn.Tanh())
    return capture(model, (torch.ones(2),), run=lambda model, given: (model(*given.args), model(*given.args))[0])


def test_calls_are_found_by_label() -> None:
    trace = repeated()
    assert [trace[label].index for label in ("", "part", "part#1", "@1", "part@1", "part#1@1")] == list(range(6))
    assert trace["part#0@0"] is trace["part"]
    assert all(trace[label_of(trace, call)] is call for call in trace.calls)


def test_tensors_are_found_by_address() -> None:
    trace = repeated()
    one, two = torch.tanh(torch.ones(2)), torch.tanh(torch.ones(2) + 1)
    assert torch.equal(trace.tensor("part"), one)
    assert torch.equal(trace.tensor("part#1:outputs"), two)
    assert torch.equal(trace.tensor("part#1@1:inputs.input"), torch.full((2,), 2.0))
    assert torch.equal(trace.tensor("part:inputs"), torch.ones(2))
    assert torch.equal(trace.tensor(":outputs.a"), one)
    assert torch.equal(trace.tensor(":outputs.b.0"), two)
    assert torch.equal(trace.tensor(":outputs.b"), two)
    assert torch.equal(trace.tensor(":run.outputs.a"), one)
    for call in trace.calls:
        for part in ("inputs", "outputs"):
            for leaf in getattr(call, part).tensor_leaves():
                assert trace.leaf(address_of(trace, call, part, leaf)) is leaf


def test_what_belongs_to_the_run_has_an_address(tmp_path: Any) -> None:
    trace = small()
    for each in (trace, open_trace(save_trace(trace, tmp_path / "trace"))):
        assert each.tensor(":run.valid").tolist() == [[True, False]]
        assert each.leaf(":run.valid").shape == (1, 2)
        assert torch.equal(each.tensor(":run.inputs.args.0"), torch.ones(1, 2))


ODD = ("a#1", "b@2", "c:inputs", "d:outputs", "a", ":", "run", "é\n", "a#1@0")


def test_paths_of_any_characters_are_found() -> None:
    def forward(model: nn.Module, x: torch.Tensor) -> None:
        for number, name in enumerate((*ODD, "a")):
            model.get_submodule(name)(x * number)

    trace = capture(forward_of(forward, **{name: nn.Tanh() for name in ODD}), (torch.ones(1),))
    for number, name in enumerate(ODD):
        assert trace[name].path == name
        assert trace.tensor(f"{name}:inputs.input").item() == number
        assert torch.equal(trace.tensor(name), torch.tanh(torch.ones(1) * number))
    hidden = trace.calls[-1]
    assert (hidden.path, hidden.label, trace["a#1"].path) == ("a", "a#1", "a#1")
    assert label_of(trace, hidden) == "a#1@0"


def test_an_alias_leads_to_the_call() -> None:
    shared = nn.Tanh()
    model = forward_of(lambda model, x: model.one(x), one=shared, other=shared)
    trace = capture(model, (torch.ones(1),))
    assert trace["other"] is trace["one"]


def test_a_path_through_an_alias_leads_to_the_call() -> None:
    shared = nn.Sequential(nn.Sequential(nn.Tanh()))
    model = forward_of(lambda model, x: model.one(x), one=shared, other=shared)
    trace = capture(model, (torch.ones(1),))
    assert trace["other.0.0"] is trace["one.0.0"]


@pytest.mark.parametrize(
    ("address", "said", "hint"),
    [
        ("prat", r"has no call prat; did you mean part", "tree"),
        ("prat:inputs.input", "has no call prat; did you mean part", "tree"),
        ("part:inputs.inputt", "did you mean part:inputs.input?", r"part:inputs.input float32 \(2,\); part:outputs"),
        ("part:nothing", "part:nothing is no tensor of the trace", "part:outputs"),
        (":outputs", ":outputs is 2 tensors", r":outputs.a float32 \(2,\); :outputs.b.0"),
        ("", ":outputs is 2 tensors", ":outputs.a"),
        ("part#7", "has no call part#7", "tree"),
        ("\x1b[31m", r"has no call \\x1b", "tree"),
    ],
)
def test_what_is_not_there_is_an_error_that_helps(address: str, said: str, hint: str) -> None:
    with pytest.raises(TraceError, match=said) as caught:
        repeated().tensor(address)
    assert re.search(hint, caught.value.hint)


def test_a_module_that_was_not_called_is_named_as_such() -> None:
    model = forward_of(lambda model, x: x, unused=nn.Tanh())
    with pytest.raises(TraceError, match="unused was not called"):
        capture(model, (torch.ones(1),))["unused"]


def test_a_leaf_that_was_not_recorded_says_why() -> None:
    trace = returned(it=torch.ones(2, device="meta"), number=3)
    with pytest.raises(TraceError, match=r":outputs\.it is not a recorded tensor: not recorded: no data"):
        trace.tensor(":outputs.it")
    with pytest.raises(TraceError, match="is not a recorded tensor: 3"):
        trace.tensor(":outputs.number")
    with pytest.raises(KeyError, match="it is not a recorded tensor"):
        trace.tensor(Leaf("it", type_name="left out: limit"))


def test_a_trace_without_a_call_of_the_model_still_has_its_run() -> None:
    trace = replace(small(), calls=())
    assert trace.tensor(":run.inputs.args.0").shape == (1, 2)
    with pytest.raises(TraceError, match="the model itself was not called"):
        trace[""]

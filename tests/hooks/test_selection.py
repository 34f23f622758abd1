from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from tracing import outputs

from porting import Selection, Trace, capture, verify

X = torch.ones(2, 4)
PATHS = ["", "layers", "layers.0", "layers.0.up", "layers.0.act", "layers.1", "layers.1.up", "layers.1.act"]


def model() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Sequential() for _ in range(2)]
    for layer in layers:
        layer.up, layer.act = nn.Linear(4, 4), nn.ReLU()
    whole = nn.Sequential()
    whole.layers = nn.Sequential(*layers)
    return whole.eval()


def recorded(trace: Trace) -> list[str]:
    return [call.path for call in trace.calls if any(call.outputs.tensor_leaves())]


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        (Selection(), PATHS),
        (Selection(include=("layers.*",)), PATHS[2:]),
        (Selection(include=("layers.1", "*.up")), ["layers.0.up", "layers.1", "layers.1.up"]),
        (Selection(exclude=("layers.0*",)), ["", "layers", "layers.1", "layers.1.up", "layers.1.act"]),
        (Selection(include=("layers.?.*",), exclude=("*.act",)), ["layers.0.up", "layers.1.up"]),
        (Selection(classes=("ReLU", "GELU")), ["layers.0.act", "layers.1.act"]),
        (Selection(depth=0), [""]),
        (Selection(depth=2), ["", "layers", "layers.0", "layers.1"]),
        (Selection(include=("nothing",)), []),
    ],
)
def test_selected_modules_are_recorded_and_all_calls_are_listed(
    select: Selection, expected: list[str], tmp_path: Path
) -> None:
    for folder in (None, tmp_path / "trace"):
        trace = capture(model(), (X,), select=select, folder=folder)
        assert [call.path for call in trace.calls] == PATHS
        assert recorded(trace) == expected
        left = [leaf for call in trace.calls if call.path not in expected for leaf in call.outputs.leaves]
        assert all((leaf.type_name, leaf.shape) == ("left out: not selected", (2, 4)) for leaf in left)
        assert (trace.left_out is None) == (select == Selection())
        assert trace.left_out is None or trace.left_out["tensors"] == 2 * len(left)
        assert trace.tensor(trace.inputs.leaves[0]).tolist() == X.tolist()


def test_what_exceeds_the_limit_is_left_out_and_counted(tmp_path: Path) -> None:
    everything = capture(model(), (X,))
    sizes = {key: tensor.nbytes for key, tensor in everything.tensors.items()}
    assert set(sizes.values()) == {32}
    for folder in (None, tmp_path / "trace"):
        trace = capture(model(), (X,), select=Selection(limit=70), folder=folder)
        assert sum(tensor.nbytes for tensor in trace.tensors.values() if tensor.dtype == torch.float32) == 64
        assert trace.left_out is not None
        assert trace.left_out["limit"] == 70
        assert trace.left_out["bytes"] == 32 * trace.left_out["tensors"] > 0
        (leaf,) = next(call for call in trace.calls if call.path == "layers.1.act").outputs.leaves
        assert leaf.type_name == "left out: the limit is reached"


def test_a_limit_does_not_leave_out_what_is_there_already() -> None:
    trace = capture(nn.Sequential(nn.Identity(), nn.Identity()), (X,), select=Selection(limit=64))
    assert outputs(trace)["1"] == [X.tolist()]
    assert trace.left_out is not None
    assert trace.left_out["tensors"] == 0


def test_a_trace_with_something_left_out_weakens_the_verdict(tmp_path: Path) -> None:
    def codes(**options: Any) -> set[str]:
        trace = capture(model(), (X,), folder=tmp_path / "trace", side="original", **options)
        return {code for code, _ in verify(trace, model(), (X,)).warnings}

    assert "left-out" not in codes()
    assert "left-out" in codes(select=Selection(exclude=("*.act",)))

"""The recorder's taps: a trace by hand, from any framework whose arrays NumPy can read."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from torch import nn
from tracing import only

from porting import Trace, open_trace, verify
from porting.errors import TraceError
from porting.recorder import Recorder

X = np.arange(6, dtype=np.float32).reshape(2, 3)


class Foreign:
    """An array of another framework."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.device = array, object()

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.array


class Secret:
    """An array that cannot be read."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise NotImplementedError("a symbol")


def tapped(folder: Path, **outputs: Any) -> Trace:
    with Recorder(folder) as recorder:
        recorder.tap("part", outputs)
    return open_trace(folder)


def numpy_original(folder: Path, x: np.ndarray, weights: dict[str, np.ndarray]) -> Path:
    """A perceptron in NumPy, recorded by taps."""
    with Recorder(folder, model="numpy.Perceptron") as recorder:
        for name in ("up", "down"):
            recorder.parameter(name, "weight", weights[f"{name}.weight"])
            recorder.parameter(name, "bias", weights[f"{name}.bias"])
        with recorder.running():
            hidden = x @ weights["up.weight"].T + weights["up.bias"]
            recorder.tap("up", hidden, {"x": x}, "Dense")
            active = np.tanh(hidden)
            recorder.tap("act", active, {"x": hidden}, "Tanh")
            result = active @ weights["down.weight"].T + weights["down.bias"]
            recorder.tap("down", result, {"x": active}, "Dense")
        recorder.result(inputs={"x": x}, outputs=result)
    return folder


class Perceptron(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.dense_in, self.act, self.dense_out = nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.dense_out(self.act(self.dense_in(x)))
        return result


def test_a_numpy_implementation_is_verified_by_its_taps(tmp_path: Path) -> None:
    ported = Perceptron().eval()
    names = {"dense_in": "up", "dense_out": "down"}
    weights = {
        f"{names[key.partition('.')[0]]}.{key.partition('.')[2]}": tensor.numpy()
        for key, tensor in ported.state_dict().items()
    }
    x = torch.randn(5, 4)
    original = open_trace(numpy_original(tmp_path / "original", x.numpy(), weights))
    verification = verify(original, ported, {"x": x})
    assert verification.verdict == "match"
    assert {("up", "dense_in"), ("act", "act"), ("down", "dense_out")} <= set(verification.comparison.alignment.pairs)
    ported.act = nn.ReLU()  # type: ignore[assignment]
    broken = verify(original, ported, {"x": x})
    assert (broken.verdict, broken.culprits[0].ported) == ("mismatch", "act")


def test_a_tap_may_be_an_array_alone(tmp_path: Path) -> None:
    with Recorder(tmp_path / "trace", model="jax.Net") as recorder:
        recorder.tap("encoder.layer.0", X)
        recorder.tap("encoder.layer.1", X * 2, inputs=X, class_name="Layer")
        recorder.tap("encoder.layer.1", X * 3, inputs=(X, 5))
    trace = open_trace(tmp_path / "trace")
    assert list(trace.modules) == ["", "encoder", "encoder.layer", "encoder.layer.0", "encoder.layer.1"]
    assert [(call.label, call.class_name) for call in trace.calls] == [
        ("encoder.layer.0", "0"),
        ("encoder.layer.1@1", "Layer"),
        ("encoder.layer.1@2", "Layer"),
    ]
    assert [[leaf.name for leaf in call.inputs.leaves] for call in trace.calls] == [
        [],
        ["args.0"],
        ["args.0", "args.1"],
    ]
    assert trace.tensor(trace.calls[1].outputs.leaves[0]).tolist() == (X * 2).tolist()
    assert trace.run["model"] == "jax.Net"
    assert trace.outputs.leaves[0].tensor is None


def test_calls_nest_and_repeat_within_a_step(tmp_path: Path) -> None:
    with Recorder(tmp_path / "trace") as recorder:
        for _ in range(2):
            with recorder.running():
                recorder.enter("block", {"x": X}, "Block")
                recorder.tap("block.norm", X)
                recorder.tap("block.norm", X)
                recorder.leave(X)
    calls = open_trace(tmp_path / "trace").calls
    labels = ["", "block", "block.norm", "block.norm#1"]
    assert [call.label for call in calls] == [*labels, *(f"{label}@1" for label in labels)]
    assert [call.parent for call in calls] == [None, 0, 1, 1, None, 4, 5, 5]


def test_what_is_noted_is_what_was_there_then(tmp_path: Path) -> None:
    x = X.copy()
    with Recorder(tmp_path / "trace") as recorder:
        recorder.result(inputs={"x": x}, valid_positions=[[1, 0]])
        recorder.tap("part", x)
        x += 1
        recorder.result(outputs=x)
    trace = open_trace(tmp_path / "trace")
    valid = trace.valid_positions()
    assert valid is not None
    assert valid.tolist() == [[True, False]]
    found = [trace.tensor(value.leaves[0]).tolist() for value in (trace.inputs, trace.calls[0].outputs, trace.outputs)]
    assert found == [X.tolist(), X.tolist(), (X + 1).tolist()]


ARRAYS = {
    "big-endian": X.astype(">f4"),
    "reversed": X[::-1],
    "transposed": X.T,
    "broadcast": np.broadcast_to(X[0], (4, 3)),
    "a field": np.zeros(3, [("a", "u1"), ("b", "<f4")])["b"],
    "a zero-dimensional array": np.array(2.5),
    "empty": X[:0],
    "booleans": X > 2,
    "complex numbers": (X + 1j * X).astype(np.complex64),
    "a number of NumPy": np.int16(-3),
    "another framework's": Foreign(X),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_any_array_that_numpy_reads_is_recorded(kind: str, tmp_path: Path) -> None:
    trace = tapped(tmp_path / "trace", it=ARRAYS[kind])
    expected = np.asarray(ARRAYS[kind])
    (leaf,) = trace.calls[0].outputs.leaves
    np.testing.assert_array_equal(trace.tensor(leaf).numpy(), expected)
    assert (leaf.dtype, leaf.shape) == (expected.dtype.name, expected.shape)


def test_strides_are_in_elements_and_not_negative(tmp_path: Path) -> None:
    found = [tapped(tmp_path / kind, it=ARRAYS[kind]) for kind in ("transposed", "broadcast", "reversed", "a field")]
    assert [trace.calls[0].outputs.leaves[0].strides for trace in found] == [(1, 3), (0, 1), None, None]


def test_what_has_no_place_in_a_trace_says_why(tmp_path: Path) -> None:
    values = {"double": X.astype(np.complex128), "texts": np.array(["a"]), "secret": Secret(), "none": None, "f": len}
    leaves = tapped(tmp_path / "trace", **values).calls[0].outputs.leaves
    assert [leaf.type_name for leaf in leaves] == [
        "not recorded: complex128 array",
        "not recorded: str32 array",
        "not recorded: a Secret that NumPy cannot read",
        None,
        "builtin_function_or_method",
    ]


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_small_floats_of_ml_dtypes_are_recorded_by_name(name: str, tmp_path: Path) -> None:
    array = X.astype(getattr(ml_dtypes, name))
    with Recorder(tmp_path / "trace") as recorder:
        recorder.parameter("part", "weight", array)
        recorder.tap("part", {"rows": array, "columns": array.T, "one": array[0, 1]})
    trace = open_trace(tmp_path / "trace")
    rows, columns, one = (trace.tensor(leaf) for leaf in trace.calls[0].outputs.leaves)
    expected = torch.from_numpy(X).to(getattr(torch, name))
    assert rows.dtype == columns.dtype == one.dtype == expected.dtype
    assert rows.float().tolist() == columns.float().t().tolist() == expected.float().tolist()
    assert trace.modules["part"].parameters[0].sketch is not None


def test_objects_with_arrays_are_taken_apart(tmp_path: Path) -> None:
    class Cache:
        def __init__(self) -> None:
            self.keys, self.note = [Foreign(X)], "not an array"

    (leaf,) = tapped(tmp_path / "trace", cache=Cache()).calls[0].outputs.leaves
    assert (leaf.name, leaf.shape) == ("cache.keys.0", (2, 3))


def test_threads_have_calls_of_their_own(tmp_path: Path) -> None:
    with Recorder(tmp_path / "trace") as recorder, recorder.running():
        thread = threading.Thread(target=recorder.tap, args=("part", X))
        thread.start()
        thread.join()
    (_, call) = open_trace(tmp_path / "trace").calls
    assert (call.path, call.parent, call.thread) == ("part", 0, 1)


def test_an_exception_leaves_a_trace_that_names_the_innermost_open_call(tmp_path: Path) -> None:
    def run() -> None:
        with Recorder(tmp_path / "trace") as recorder, recorder.running():
            recorder.tap("first", X)
            recorder.enter("block", {"x": X}, "Block")
            recorder.enter("block.norm", {"x": X}, "Norm")
            raise ValueError("broken\x1b")

    with pytest.raises(ValueError, match="broken"):
        run()
    with pytest.raises(TraceError, match=r"raised in block\.norm \(Norm\): ValueError: broken\\x1b"):
        open_trace(tmp_path / "trace")
    trace = open_trace(tmp_path / "trace", allow_failed=True)
    assert [call.path for call in trace.calls] == ["", "first", "block", "block.norm"]
    assert trace.tensor(trace.calls[1].outputs.leaves[0]).tolist() == X.tolist()


def test_a_step_that_was_given_up_is_none_of_the_next_ones_parents(tmp_path: Path) -> None:
    with Recorder(tmp_path / "trace") as recorder:
        with suppress(ValueError), recorder.running():
            recorder.enter("fast")
            raise ValueError("no")
        with recorder.running():
            recorder.tap("slow", X)
    assert [(call.label, call.parent) for call in open_trace(tmp_path / "trace").calls] == [
        ("", None),
        ("fast", 0),
        ("@1", None),
        ("slow@1", 2),
    ]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interruption_leaves_nothing(stop: type[BaseException], tmp_path: Path) -> None:
    def run() -> None:
        with Recorder(tmp_path / "new" / "trace") as recorder:
            recorder.tap("part", X)
            raise stop

    with pytest.raises(stop):
        run()
    assert list(tmp_path.iterdir()) == []


def test_a_block_without_taps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no module was called or tapped"), Recorder(tmp_path / "trace"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_leaving_what_was_not_entered_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="without a call that was entered"),
        Recorder(tmp_path / "trace") as recorder,
    ):
        recorder.leave(X)
    assert open_trace(tmp_path / "trace", allow_failed=True).calls == ()


def test_nothing_is_recorded_outside_of_the_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recorder = Recorder(tmp_path / "trace")
    with pytest.raises(RuntimeError, match="outside of the block"):
        recorder.tap("part", X)
    with recorder:
        recorder.tap("part", X)
    with pytest.raises(RuntimeError, match="outside of the block"):
        recorder.tap("part", X)
    assert only(tmp_path, "trace")


def test_two_recorders_of_one_place_do_not_mix(tmp_path: Path) -> None:
    with Recorder(tmp_path / "trace", model="outer") as outer:
        outer.tap("part", X)
        with Recorder(tmp_path / "trace", model="inner") as inner:
            inner.tap("part", X + 1)
        outer.tap("part", X + 2)
    trace = open_trace(tmp_path / "trace")
    assert (trace.run["model"], len(trace.calls)) == ("outer", 2)
    assert only(tmp_path, "trace")

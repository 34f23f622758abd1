"""Models and users that do what they like while they are captured."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import pickle
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from tracing import forward_of, hook_count, outputs

from porting import Selection, capture
from porting.errors import CaptureError, OutputError

X = torch.tensor([[1.0, -2.0, 3.0]])


@pytest.mark.parametrize("wrap", [False, True])
def test_what_cannot_be_copied_does_not_change_what_the_model_does(wrap: bool) -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        try:
            return self.first(x)[0, :2]  # type: ignore[no-any-return]
        except RuntimeError:
            return self.second(x)  # type: ignore[no-any-return]

    first = forward_of(lambda self, x: torch.ones(1).expand(10**6, 10**6))
    trace = capture(forward_of(forward, first=first, second=nn.Identity()), (X,), wrap_forward=wrap)
    assert [call.path for call in trace.calls] == ["", "first"]
    assert trace.calls[1].outputs.leaves[0].type_name == (
        "not recorded: 1,000,000,000,000 elements spread out from 4 bytes"
    )


@pytest.mark.parametrize("wrap", [False, True])
def test_an_exception_of_any_kind_is_a_failure_of_the_model(wrap: bool) -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        raise asyncio.CancelledError("stopped")

    model = forward_of(lambda self, x: self.part(x), part=forward_of(forward))
    with pytest.raises(CaptureError, match=r"raised in part .*CancelledError: stopped"):
        capture(model, (X,), wrap_forward=wrap)
    assert hook_count(model) == 0


class Stop(BaseException):
    """What torch does not tell hooks of."""


def test_a_call_that_ended_unseen_is_no_parent() -> None:
    def stops(self: Any, x: torch.Tensor) -> torch.Tensor:
        raise Stop

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        with contextlib.suppress(Stop):
            self.stops(x)
        return self.other(x)  # type: ignore[no-any-return]

    trace = capture(forward_of(forward, stops=forward_of(stops), other=nn.Identity()), (X,))
    assert [(call.path, call.parent) for call in trace.calls] == [("", None), ("stops", 0), ("other", 0)]


def test_a_step_that_ended_unseen_is_over() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        if x.sum() > 2:
            raise Stop
        return x

    def run(model: nn.Module, inputs: Any) -> Any:
        with contextlib.suppress(Stop):
            model(inputs.args[0] + 1)
        return model(inputs.args[0])

    trace = capture(forward_of(forward), (X,), run=run)
    assert [(call.step, call.repeat, call.parent) for call in trace.calls] == [(0, 0, None), (1, 0, None)]


def test_an_exception_raised_again_while_it_is_handled_is_one() -> None:
    def again(self: Any, error: BaseException) -> Any:
        raise error

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        try:
            raise ValueError("it")
        except ValueError as error:
            try:
                self.part(error)
            except ValueError:
                return x
        return x

    trace = capture(forward_of(forward, part=forward_of(again)), (X,))
    assert trace.calls[1].outputs.leaves[0].type_name == "nothing: it raised"


@pytest.mark.parametrize("wrap", [False, True])
def test_a_copy_made_during_the_run_computes_with_its_own_weights(wrap: bool) -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        deep, flat = copy.deepcopy(self.part), copy.copy(self.part)
        flat._parameters = {name: nn.Parameter(torch.ones_like(p)) for name, p in flat._parameters.items()}
        for parameter in deep.parameters():
            nn.init.zeros_(parameter)
        return deep(x) + flat(x) + self.part(x) * 0  # type: ignore[no-any-return]

    model = forward_of(forward, part=nn.Linear(3, 2))
    expected = model(X)
    trace = capture(model, (X,), wrap_forward=wrap)
    assert outputs(trace)[""] == [expected.tolist()] == [[[3.0, 3.0]]]
    assert [call.path for call in trace.calls] == ["", "part"]


def test_a_copy_made_during_the_run_can_be_pickled_and_is_not_listened_to() -> None:
    kept: list[nn.Module] = []

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        kept.append(pickle.loads(pickle.dumps(self.part)))
        return self.part(x)  # type: ignore[no-any-return]

    trace = capture(forward_of(forward, part=nn.Linear(3, 2)), (X,))
    assert kept[0](X).shape == (1, 2)
    assert len(trace.calls) == 2


def test_captures_in_several_threads_leave_the_process_as_it_was() -> None:
    before = sys.getrecursionlimit(), torch.backends.mha.get_fastpath_enabled()
    models = [nn.Sequential(nn.Linear(3, 3), nn.ReLU()) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        traces = list(pool.map(lambda model: [capture(model, (X,)) for _ in range(8)], models))
    assert (sys.getrecursionlimit(), torch.backends.mha.get_fastpath_enabled()) == before
    assert {tuple(call.label for call in trace.calls) for each in traces for trace in each} == {("", "0", "1")}


def test_a_model_is_captured_by_one_thread_at_a_time() -> None:
    inside, leave = threading.Event(), threading.Event()

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        inside.set()
        leave.wait(20)
        return x

    model = forward_of(forward)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(capture, model, (X,))
        inside.wait(20)
        try:
            with pytest.raises(CaptureError, match="captured in another thread"):
                capture(model, (X,))
        finally:
            leave.set()
        assert len(first.result().calls) == 1


def test_a_capture_within_a_capture_sees_its_own_calls() -> None:
    model = nn.Sequential(nn.Linear(3, 3))
    found: list[int] = []

    def run(model: nn.Module, inputs: Any) -> Any:
        found.append(len(capture(model, inputs.args).calls))
        return model(*inputs.args)

    assert len(capture(model, (X,), run=run).calls) >= 2
    assert found == [2]


def test_gradients_leave_no_hook_on_a_parameter_that_a_module_returns() -> None:
    class Queries(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))

        def forward(self) -> torch.Tensor:
            return self.weight

    model = forward_of(lambda self, x: x * self.queries(), queries=Queries())
    trace = capture(model, (X,), gradients=True)
    assert trace["queries"].gradients is not None
    assert not model.queries.weight._backward_hooks  # type: ignore[union-attr]


def test_a_disk_that_fills_during_backward_is_an_output_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from porting.trace.shards import ShardWriter

    real = ShardWriter.add

    def full(self: Any, dtype: str, shape: Any, *rest: Any) -> Any:
        if list(shape) == [3, 7]:
            raise OSError(28, "No space left on device")
        return real(self, dtype, shape, *rest)

    monkeypatch.setattr(ShardWriter, "add", full)
    model = nn.Sequential(nn.Linear(7, 3), nn.Linear(3, 3))
    with pytest.raises(OutputError, match="No space left"):
        capture(model, (torch.ones(1, 7),), gradients=True, folder=tmp_path / "trace")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("transform", ["vmap", "grad", "jvp"])
def test_tensors_of_functorch_are_named(transform: str) -> None:
    def forward(self: Any, x: torch.Tensor) -> Any:
        if transform == "vmap":
            return torch.func.vmap(self.part)(x)
        if transform == "grad":
            return torch.func.grad(lambda y: self.part(y).sum())(x)
        return torch.func.jvp(self.part, (x,), (x,))

    trace = capture(forward_of(forward, part=nn.Linear(3, 2)), (X,))
    reason = "not recorded: a tensor of functorch, inside vmap, grad or jvp"
    assert trace["part"].outputs.leaves[0].type_name == reason
    assert trace.outputs.leaves[0].tensor is not None


def test_modes_of_the_user_do_not_see_the_capture() -> None:
    seen: list[str] = []

    class Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(str(func))
            result = func(*args, **(kwargs or {}))
            return result + 100 if "clone" in str(func) else result

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        with Counting():  # type: ignore[no-untyped-call]
            return self.part(x)  # type: ignore[no-any-return]

    model = forward_of(forward, part=nn.Linear(3, 2))
    model(X)
    alone = len(seen)
    trace = capture(model, (X,))
    assert len(seen) == 2 * alone
    assert outputs(trace)["part"] == outputs(trace)[""]


def test_modules_that_the_run_makes_are_reported() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        if not hasattr(self, "made"):
            self.made = nn.Linear(3, 2)
        return self.made(x)  # type: ignore[no-any-return]

    trace = capture(forward_of(forward), (X,))
    assert trace.unobserved == ("made",)


def test_a_forward_that_cannot_be_wrapped_is_refused() -> None:
    class Property(nn.Module):
        @property
        def forward(self) -> Any:  # type: ignore[override]
            return lambda x: x

    assert len(capture(Property(), (X,)).calls) == 1
    with pytest.raises(CaptureError, match="the forward of Property is a property"):
        capture(Property(), (X,), wrap_forward=True)


def test_a_model_that_has_every_attribute_is_not_taken_for_a_compiled_one() -> None:
    class Anything(nn.Module):
        def __getattr__(self, name: str) -> Any:
            try:
                return super().__getattr__(name)
            except AttributeError:
                return None

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    assert len(capture(Anything(), (X,)).calls) == 1


def test_a_limit_is_kept_without_reading_what_exceeds_it(tmp_path: Path) -> None:
    big = torch.ones(1).expand(1 << 14, 1 << 14)
    trace = capture(forward_of(lambda self: big), {}, select=Selection(limit=10**6), folder=tmp_path / "trace")
    assert trace.outputs.leaves[0].type_name == "left out: the limit is reached"


def test_a_single_pattern_is_one_pattern() -> None:
    assert Selection(include="layer.*", classes="Linear") == Selection(include=("layer.*",), classes=("Linear",))  # type: ignore[arg-type]


class Shy(Mapping[str, Any]):
    """A mapping that cannot be looked into."""

    def __getitem__(self, key: str) -> Any:
        raise FileNotFoundError("no such thing")

    def __iter__(self) -> Iterator[str]:
        return iter(["it"])

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize("disk", [False, True])
def test_a_value_whose_own_code_raises_is_named_and_the_run_goes_on(disk: bool, tmp_path: Path) -> None:
    model = forward_of(lambda self, x: (self.part(x), Shy()), part=nn.Identity())
    trace = capture(model, (X,), folder=tmp_path / "trace" if disk else None)
    assert outputs(trace)[""] == [X.tolist()]
    assert "FileNotFoundError" in str(trace.outputs.leaves[1].type_name)

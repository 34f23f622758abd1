"""How far a model's results move by themselves: measured, stored, and used by the verdict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from seeded import BUGS, Break
from torch import nn
from toys import make_inputs, make_pair
from tracing import content, forward_of, hook_count, small

from porting import Trace, Verification, capture, open_trace, verify
from porting.hooks.selection import Selection
from porting.recording import noise_of
from porting.trace import save_trace

ONES = (torch.ones(2, 3),)


def third(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return x / 3


def measured(model: nn.Module, inputs: Any = ONES, **kwargs: Any) -> Trace:
    return capture(model, inputs, noise=True, **kwargs)


def noise(trace: Trace, label: str, kind: str) -> Any:
    """Largest and L2 difference at the only output of a call; None if there is none."""
    (call,) = [call for call in trace.calls if call.label == label]
    (leaf,) = call.outputs.leaves
    return (leaf.noise or {}).get(kind)


def reason(trace: Trace, kind: str) -> str:
    return str(trace.run["noise"][kind])


def test_float64_noise_is_what_each_module_rounds_on_its_recorded_inputs() -> None:
    trace = measured(nn.Sequential(forward_of(third), forward_of(third)))
    first = torch.tensor(1.0) / 3
    errors = [abs(float(first) - 1 / 3), abs(float(first / 3) - float(first) / 3)]
    assert errors[0] > 0
    for path, error in zip("01", errors, strict=True):
        assert noise(trace, path, "float64") == pytest.approx((error, error * 6**0.5), rel=1e-6, abs=0)
    assert noise(trace, "", "float64") == (0.0, 0.0)


def test_what_arrives_at_a_module_is_measured_too() -> None:
    def glue(self: Any, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.inner(x / 3)
        return result

    trace = measured(forward_of(glue, inner=nn.Identity()))
    (argument,) = trace.first_calls["inner"].inputs.leaves
    assert argument.noise is not None
    assert argument.noise["float64"] == pytest.approx((9.93e-9, 2.43e-8), rel=0.01)
    assert noise(trace, "inner", "float64") == (0.0, 0.0)


def test_casts_to_float32_in_a_norm_are_promoted() -> None:
    def norm(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        wide = x.to(torch.float32)
        return wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True, dtype=torch.float32) + 1e-6)

    x = torch.linspace(0.1, 3, 12).reshape(3, 4)
    trace = measured(forward_of(norm), (x,))
    exact = x.double() * torch.rsqrt(x.double().pow(2).mean(-1, keepdim=True) + 1e-6)
    error = float((exact - trace.tensor(trace.outputs.leaves[0])).abs().max())
    assert error > 1e-9
    assert noise(trace, "", "float64")[0] == pytest.approx(error, rel=1e-6)


def test_threads_are_put_back_when_the_rerun_raises() -> None:
    before = torch.get_num_threads()

    def picky(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        if torch.get_num_threads() != before:
            raise ValueError("not with so many")
        return x

    trace = measured(forward_of(picky))
    assert torch.get_num_threads() == before
    assert reason(trace, "threads") == "the rerun raised ValueError in the model itself: not with so many"
    assert reason(trace, "float64") == "measured"


@pytest.mark.parametrize(("threads", "other"), [(1, 2), (2, 1)])
def test_threads_are_others_than_those_of_the_capture(threads: int, other: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        model = forward_of(lambda _, x: x + torch.get_num_threads())
        trace = measured(model)
    finally:
        torch.set_num_threads(before)
    assert noise(trace, "", "threads") == (abs(threads - other), pytest.approx(6**0.5))


def test_rows_run_by_themselves_are_put_together() -> None:
    rows: list[list[float]] = []

    def remember(_: nn.Module, x: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        rows.append(x[:, 0].tolist())
        return x + positions + (len(x) == 1) * x

    x = torch.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 4.0]])
    trace = measured(forward_of(remember), (x, torch.zeros(1, 2)))
    assert rows[-3:] == [[1.0], [2.0], [3.0]]
    assert noise(trace, "", "batch") == (4.0, pytest.approx(float(x.norm())))


def test_a_model_that_mixes_rows_is_noisy_between_batches_and_nowhere_else() -> None:
    trace = measured(forward_of(lambda _, x: x - x.mean(0)), (torch.tensor([[0.0], [4.0]]),))
    assert noise(trace, "", "batch") == (2.0, pytest.approx(8**0.5))
    assert noise(trace, "", "float64") == (0.0, 0.0)
    assert trace.run["noisiest"]["batch"] == {"call": "", "relative_l2": pytest.approx(1.0)}


def test_a_tensor_whose_first_axis_is_not_the_batch_is_left_out() -> None:
    trace = measured(forward_of(lambda _, x: {"rows": x, "total": x.sum(0, keepdim=True), "columns": x.mT}), ONES)
    (call,) = trace.calls
    assert [leaf.name for leaf in call.outputs.leaves if "batch" in (leaf.noise or {})] == ["rows"]
    assert all("threads" in (leaf.noise or {}) for leaf in call.outputs.leaves)


def test_padding_does_not_count() -> None:
    def mixed(_: nn.Module, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return x + (x / 3 - x.mean(0)) * (1 - mask)[..., None]

    mask = torch.tensor([[1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    inputs = (torch.arange(24.0).reshape(2, 3, 4), mask)
    valid = measured(forward_of(mixed), inputs, valid_positions=mask.bool())
    everything = measured(forward_of(mixed), inputs)
    for kind in ("float64", "batch"):
        assert noise(valid, "", kind) == (0.0, 0.0)
        assert noise(everything, "", kind)[0] > 0


def float32_only(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    if x.dtype != torch.float32:
        raise TypeError("float32 only")
    return x


def drawing(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return x + torch.rand(())


def longer(self: Any, x: torch.Tensor) -> torch.Tensor:
    for _ in range(len(x)):
        x = self.step(x)
    return x


@pytest.mark.parametrize(
    ("model", "inputs", "kind", "words"),
    [
        (forward_of(float32_only), ONES, "float64", "the rerun raised TypeError in the model itself: float32 only"),
        (forward_of(drawing), ONES, "float64", "draws random numbers"),
        (forward_of(drawing), ONES, "batch", "draws random numbers"),
        (forward_of(longer, step=nn.Tanh()), ONES, "batch", "other calls, as of step"),
        (nn.Tanh(), (torch.ones(1, 4),), "batch", "the batch has one row"),
        (forward_of(lambda _, x, y: x), (torch.ones(2, 1), torch.ones(3, 1)), "batch", "first axes are 2, 3"),
        (forward_of(lambda _, x: x.argmax(-1)), ONES, "threads", "nothing that could be compared"),
    ],
)
def test_what_cannot_be_measured_is_said(model: nn.Module, inputs: Any, kind: str, words: str) -> None:
    trace = measured(model, inputs)
    assert words in reason(trace, kind)
    assert kind not in (trace.calls[-1].outputs.leaves[0].noise or {})


def test_what_a_model_keeps_from_run_to_run_is_not_taken_for_noise() -> None:
    class Counter:
        count = 0

    counter = Counter()

    def counting(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        counter.count += 1
        return x * counter.count

    def whole(self: Any, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.second(self.first(x))
        return result

    trace = measured(forward_of(whole, first=nn.Tanh(), second=forward_of(counting)))
    for kind in ("threads", "batch"):
        assert reason(trace, kind) == "a second run gives other results, as of second"
        assert noise(trace, "first", kind) is noise(trace, "second", kind) is None


def test_a_list_that_a_model_adds_to_is_no_noise() -> None:
    def keeping(self: Any, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(1)
        return x * len(self.seen)

    model: Any = forward_of(keeping)
    model.seen = []
    trace = measured(model)
    for kind in ("float64", "threads", "batch"):
        assert reason(trace, kind) == "measured"
        assert noise(trace, "", kind) == (0.0, 0.0)


def test_what_a_generator_of_the_model_draws_is_no_noise() -> None:
    model: Any = forward_of(lambda self, x: x + torch.rand((), generator=self.generator))
    model.generator = torch.Generator()
    trace = measured(model)
    assert noise(trace, "", "threads") == (0.0, 0.0)
    for kind in ("float64", "batch"):
        assert reason(trace, kind) == "the model has a random generator, and this rerun would draw other numbers"


def test_drawing_models_repeat_themselves_with_other_threads() -> None:
    assert noise(measured(forward_of(drawing), seed=3), "", "threads") == (0.0, 0.0)


def test_a_call_that_writes_into_its_inputs_is_not_taken_for_rounding() -> None:
    def before_activation(self: Any, x: torch.Tensor) -> torch.Tensor:
        x = x * 1
        activated: torch.Tensor = self.relu(x)
        return activated + x

    model = forward_of(before_activation, relu=nn.ReLU(inplace=True))
    trace = measured(model, (torch.tensor([[-1.0, 1.0]]),))
    assert noise(trace, "", "float64") is None
    assert noise(trace, "relu", "float64") == (0.0, 0.0)


def test_without_recorded_inputs_no_rounding_is_claimed() -> None:
    trace = measured(nn.Sequential(nn.Linear(3, 3), nn.Tanh()), record_inputs=False)
    assert "nothing that could be compared" in reason(trace, "float64")


def test_the_model_is_left_as_it_was_found() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)).train()
    before = {name: (tensor.data_ptr(), tensor.clone()) for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    measured(model)
    assert torch.equal(torch.get_rng_state(), state)
    assert hook_count(model) == 0
    assert torch.get_default_dtype() == torch.float32
    for name, tensor in model.state_dict().items():
        assert tensor.data_ptr() == before[name][0]
        assert torch.equal(tensor, before[name][1])


def test_runs_of_several_steps_are_measured() -> None:
    def twice(model: nn.Module, inputs: Any) -> Any:
        return model(model(*inputs.args))

    trace = measured(forward_of(third), run=twice)
    assert set(trace.run["noise"].values()) == {"measured"}
    assert noise(trace, "@1", "float64")[0] > 0


def everywhere(trace: Trace) -> list[Any]:
    values = [value for call in trace.calls for value in (call.inputs, call.outputs)]
    return [leaf.noise for value in (*values, trace.outputs) for leaf in value.leaves]


def test_noise_survives_the_disk(tmp_path: Path) -> None:
    trace = measured(nn.Sequential(nn.Linear(3, 3), nn.Tanh()), folder=tmp_path / "trace")
    opened = open_trace(tmp_path / "trace")
    assert content(opened) == content(trace)
    assert everywhere(opened) == everywhere(trace)
    assert set(everywhere(opened)[-1] or {}) == {"threads", "batch"}
    assert noise_of(opened) == noise_of(trace)
    assert noise_of(opened)["float64"]["status"] == "measured"


def test_a_trace_without_noise_is_read(tmp_path: Path) -> None:
    opened = open_trace(save_trace(small(), tmp_path / "trace"))
    assert noise_of(opened) == {}
    assert all(leaf.noise is None for call in opened.calls for leaf in call.outputs.leaves)


def toy_verdicts(break_port: Callable[[Any], object]) -> tuple[Verification, Verification]:
    original, ported = make_pair()
    break_port(ported)
    first, second = make_inputs()
    valid = second["attention_mask"].bool()
    plain, noisy = (capture(original, first, valid_positions=valid, noise=noise) for noise in (False, True))
    return verify(plain, ported, second, original_inputs=first), verify(noisy, ported, second, original_inputs=first)


@pytest.mark.parametrize("bug", [bool, *BUGS])
def test_verdict_and_culprits_are_the_same_with_noise(bug: Break) -> None:
    plain, noisy = toy_verdicts(bug)
    assert noisy.verdict == plain.verdict
    assert noisy.warnings == plain.warnings
    assert [(c.ported, c.where) for c in noisy.culprits] == [(c.ported, c.where) for c in plain.culprits]
    for one, other in zip(plain.isolation.observations, noisy.isolation.observations, strict=True):
        assert (other.floor.ratio(other.numbers) or 0) <= (one.floor.ratio(one.numbers) or 0)


def test_an_original_that_rounds_more_than_the_port_is_not_the_ports_fault() -> None:
    def unstable(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return x.pow(2).mean(-1, keepdim=True) - x.mean(-1, keepdim=True).pow(2)

    x = 30 + torch.randn(4, 64, generator=torch.Generator().manual_seed(0))
    original = nn.Sequential(forward_of(unstable))
    ported = nn.Sequential(forward_of(lambda _, x: x.var(-1, keepdim=True, correction=0)))
    plain, noisy = (verify(capture(original, (x,), noise=noise), ported, (x,)) for noise in (False, True))
    assert plain.verdict == "suspicious"
    assert noisy.verdict == "match"


def test_an_original_that_moves_by_itself_is_reported() -> None:
    model = forward_of(lambda _, x: x - x.mean(0))
    inputs = (torch.tensor([[0.0], [4.0]]),)
    warnings = dict(verify(measured(model, inputs), model, inputs).warnings)
    assert "the output moves by 2 when each row of the inputs runs by itself" in warnings["original-noisy"]
    steady = measured(nn.Tanh(), inputs)
    assert "original-noisy" not in dict(verify(steady, nn.Tanh(), inputs).warnings)


def test_a_child_whose_forward_is_called_directly_is_measured_too() -> None:
    def direct(self: Any, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.inner.forward(x)
        return result

    trace = measured(forward_of(direct, inner=forward_of(third)), wrap_forward=True)
    assert noise(trace, "inner", "float64")[0] > 0
    assert set(trace.run["noise"].values()) == {"measured"}


def test_what_is_not_recorded_is_not_measured() -> None:
    model = nn.Sequential(forward_of(third), forward_of(third), forward_of(third))
    trace = measured(model, select=Selection(exclude=("1",)))
    assert noise(trace, "1", "float64") is None
    assert noise(trace, "2", "float64") == noise(measured(model), "2", "float64")


def test_gradients_do_not_change_the_noise() -> None:
    model = nn.Sequential(forward_of(third), nn.Linear(3, 3))
    plain, with_gradients = measured(model), measured(model, gradients=True)
    assert everywhere(with_gradients) == everywhere(plain)

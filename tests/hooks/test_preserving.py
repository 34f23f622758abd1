from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from tracing import forward_of, hook_count

from porting import capture
from porting.errors import CaptureError, RestoreError
from porting.hooks import preserving
from porting.hooks.preserving import preserved, seed_everything


class Untidy(nn.Module):
    """Changes in its forward all that a forward can change."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.register_buffer("frequencies", torch.ones(3))
        self.register_buffer("absent", None)
        self.cache = torch.zeros(3)
        self.calls = 0
        self.layer = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.last_input = x
        self.cache += 1
        self.register_buffer("frequencies", torch.full((3,), 2.0))
        self.absent = torch.ones(1)
        self.extra = nn.Linear(3, 3)
        self.layer.train(False)
        result: torch.Tensor = self.norm(x)
        return result


def held(model: nn.Module) -> dict[str, object]:
    tensors = {name: tensor.tolist() for name, tensor in model.state_dict().items()}
    plain = {name: [key for key in vars(module) if key != "_buffers"] for name, module in model.named_modules()}
    modes = {name: module.training for name, module in model.named_modules()}
    return {"tensors": tensors, "plain": plain, "modes": modes, "repr": repr(model)}


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_a_model_is_left_as_it_was_found(error: type[BaseException] | None) -> None:
    model = Untidy()
    frequencies, before = model.frequencies, held(model)
    with pytest.raises(error) if error else nullcontext(), preserved(model), torch.no_grad():
        model(torch.randn(4, 3))
        assert held(model) != before
        if error:
            raise error
    assert held(model) == before
    assert model.frequencies is frequencies
    assert model._buffers["absent"] is None
    assert model.cache.tolist() == [0.0, 0.0, 0.0]
    assert model.calls == 0


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_the_random_state_is_left_as_it_was_found(error: type[BaseException] | None) -> None:
    def drawn() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    seed_everything(5)
    expected = drawn()
    seed_everything(5)
    with pytest.raises(error) if error else nullcontext(), preserved(nn.Identity()):
        seed_everything(1)
        drawn()
        if error:
            raise error
    assert drawn() == expected


def test_a_buffer_without_data_is_left_alone() -> None:
    model = nn.Module()
    model.register_buffer("meta", torch.ones(2, device="meta"))
    model.register_buffer("sparse", torch.eye(2).to_sparse())
    model.register_buffer("nan", torch.full((2,), torch.nan))
    before = dict(model.named_buffers())
    with preserved(model):
        pass
    assert all(buffer is before[name] for name, buffer in model.named_buffers())


def ran(model: Any, change: Callable[[], object], *, grad: bool = False) -> Any:
    """The model, after a run that does this."""
    with preserved(model), torch.set_grad_enabled(grad):
        change()
    return model


def buffered(content: torch.Tensor) -> Any:
    model: Any = nn.Sequential(nn.Identity(), nn.BatchNorm1d(4))
    model.register_buffer("content", content)
    return model


def test_an_expanded_buffer_with_nan_is_left_as_it_was_found() -> None:
    model = buffered(torch.full((1, 1), torch.nan).expand(2, 2))
    ran(model, lambda: model[1](torch.randn(3, 4) + 5))
    assert model[1].running_mean.tolist() == [0.0] * 4
    ran(model, lambda: model.content[:1, :1].fill_(3.0))
    assert model.content.isnan().all()
    assert model.content.stride() == (0, 0)


def test_a_buffer_made_in_inference_mode_gets_its_content_back() -> None:
    with torch.inference_mode():
        model = buffered(torch.ones(2))

    def change() -> None:
        with torch.inference_mode():
            model.content.add_(1)

    assert ran(model, change).content.tolist() == [1.0, 1.0]
    assert model.content.is_inference()


def test_a_weight_of_inference_mode_in_other_memory_is_left_as_it_was_found() -> None:
    with torch.inference_mode():
        model: Any = nn.Linear(2, 1)
    model.weight.data = torch.ones(1, 2)
    assert ran(model, lambda: model.weight.data.zero_()).weight.tolist() == [[1.0, 1.0]]


def test_a_buffer_that_grows_gets_its_memory_back() -> None:
    model = buffered(torch.ones(2))
    memory, view = model.content.data_ptr(), model.content.view(2)

    def grow() -> None:
        model.content.add_(1)
        model.content.data = torch.cat([model.content, model.content]).double()

    ran(model, grow)
    assert model.content.data_ptr() == memory
    assert model.content.dtype == torch.float32
    assert view.tolist() == [1.0, 1.0]


def test_a_zero_gets_its_sign_back() -> None:
    model = buffered(torch.tensor([-0.0]))
    assert ran(model, lambda: model.content.zero_()).content.signbit().all()


def test_weights_that_an_embedding_renormalises_are_put_back_whatever_their_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(preserving, "COPIED_BYTES", 0)
    model: Any = nn.Embedding(3, 4, max_norm=0.1)
    before = model.weight.detach().clone()
    capture(model, (torch.tensor([0, 1, 2]),))
    assert torch.equal(model.weight, before)


@pytest.mark.parametrize(
    "write", [lambda weight: weight.mul_(2), lambda weight: weight.data.mul_(2)], ids=["counted", "uncounted"]
)
def test_weights_that_a_forward_writes_into_are_put_back(write: Callable[[torch.Tensor], object]) -> None:
    model: Any = nn.Linear(2, 2)
    before = model.weight.detach().clone()
    assert torch.equal(ran(model, lambda: write(model.weight)).weight, before)


def test_large_weights_that_a_forward_writes_into_are_named_and_all_else_is_put_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(preserving, "COPIED_BYTES", 40)
    model: Any = nn.Sequential(nn.Linear(2, 2), nn.Linear(3, 3))

    def change() -> None:
        for parameter in model.parameters():
            parameter.add_(1)
            parameter.requires_grad_(False)
        model[1].train(False)

    before = [parameter.detach().clone() for parameter in model.parameters()]
    with pytest.raises(RestoreError, match=r"put back: 1\.weight: the run wrote into it") as caught:
        ran(model, change)
    assert "build the model anew" in caught.value.hint
    assert [torch.equal(*pair) for pair in zip(model.parameters(), before, strict=True)] == [True, True, False, True]
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert model[1].training


def test_exchanged_memory_of_large_weights_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preserving, "COPIED_BYTES", 0)
    model: Any = nn.Linear(2, 2)
    memory = model.weight.data_ptr()
    ran(model, lambda: setattr(model.weight, "data", torch.zeros(3, 3, dtype=torch.float16)))
    assert (model.weight.data_ptr(), model.weight.dtype) == (memory, torch.float32)


def test_an_interrupted_run_stays_interrupted_and_says_what_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preserving, "COPIED_BYTES", 0)
    model: Any = nn.Linear(2, 2)

    def change() -> None:
        model.bias.zero_()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        ran(model, change)
    assert ["bias: the run wrote into it" in note for note in caught.value.__notes__] == [True]


def test_flags_and_gradients_are_put_back() -> None:
    model: Any = nn.Linear(2, 1)
    model.bias.requires_grad_(False)
    model(torch.ones(1, 2)).sum().backward()
    gradient = model.weight.grad

    def change() -> None:
        model.weight.grad = None
        model.requires_grad_(True)
        model(torch.ones(1, 2)).sum().backward()
        model.weight.requires_grad_(False)

    ran(model, change, grad=True)
    assert model.weight.grad is gradient
    assert model.bias.grad is None
    assert [parameter.requires_grad for parameter in model.parameters()] == [True, False]
    ran(model, lambda: model(torch.ones(1, 2)).sum().backward(), grad=True)
    assert gradient is not None
    assert gradient.tolist() == [[1.0, 1.0]]


def test_a_buffer_that_joins_a_graph_leaves_it() -> None:
    model = buffered(torch.ones(2))
    weight = torch.ones(2, requires_grad=True)
    ran(model, lambda: model.content.mul_(weight), grad=True)
    assert model.content.is_leaf
    assert not model.content.requires_grad


def test_a_module_gets_its_class_and_its_hooks_back() -> None:
    model: Any = nn.Sequential(nn.Linear(2, 2))

    def change() -> None:
        model[0].__class__ = nn.Identity
        model[0].register_forward_hook(lambda *_: None)

    assert type(ran(model, change)[0]) is nn.Linear
    assert hook_count(model) == 0


def test_generators_among_the_attributes_get_their_state_back() -> None:
    model: Any = nn.Module()
    model.noise, model.dice = torch.Generator(), [np.random.default_rng(0), random.Random(0)]

    def draw() -> tuple[float, ...]:
        return float(torch.rand((), generator=model.noise)), *(each.random() for each in model.dice)

    drawn = []
    for _ in range(2):
        with preserved(model):
            drawn.append(draw())
    assert drawn[0] == drawn[1] == draw() != draw()


def test_containers_among_the_attributes_get_their_items_back() -> None:
    model: Any = nn.Module()
    model.seen, model.state = [1], ({"cache": deque([torch.zeros(2)])}, {"a"})

    def change() -> None:
        model.seen.append(2)
        model.state[0]["cache"][0].add_(1)
        model.state[0]["cache"].append(3)
        model.state[1].add("b")

    seen = model.seen
    ran(model, change)
    assert model.seen is seen
    assert (model.seen, model.state[1], len(model.state[0]["cache"])) == ([1], {"a"}, 1)
    assert model.state[0]["cache"][0].tolist() == [0.0, 0.0]


def test_print_options_are_put_back() -> None:
    value, array = torch.tensor(1 / 3), np.array(1 / 3)
    before = repr(value), repr(array)

    def change() -> None:
        torch.set_printoptions(precision=8)  # type: ignore[no-untyped-call]
        np.set_printoptions(precision=2)

    ran(nn.Identity(), change)
    assert (repr(value), repr(array)) == before


def test_a_lazy_model_is_captured_and_left_lazy() -> None:
    model: Any = nn.Sequential(nn.LazyLinear(3), nn.ReLU())
    traces = [capture(model, (torch.ones(2, 4),)) for _ in range(2)]
    for trace in traces:
        assert [call.class_name for call in trace.calls] == ["Sequential", "LazyLinear", "ReLU"]
        assert [(each.shape, each.sketch) for each in trace.modules["0"].parameters] == [((), None)] * 2
        assert trace.tensor(trace.outputs.leaves[0]).shape == (2, 3)
    assert repr(model[0]) == "LazyLinear(in_features=0, out_features=3, bias=True)"
    assert model(torch.ones(2, 5)).shape == (2, 3)


def test_a_forward_that_raises_leaves_parameters_as_they_were() -> None:
    def failing(self: Any, x: torch.Tensor) -> torch.Tensor:
        self.layer.weight.zero_()
        raise ValueError("no")

    model: Any = forward_of(failing, layer=nn.Linear(2, 2))
    before = model.layer.weight.detach().clone()
    with pytest.raises(CaptureError, match="no"):
        capture(model, (torch.ones(1, 2),))
    assert torch.equal(model.layer.weight, before)

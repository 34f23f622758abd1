from __future__ import annotations

import random
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn

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

"""Copies of inputs: new tensors, and nothing else that a run could miss."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from tracing import forward_of, outputs

from porting import capture
from porting.copying import copied
from porting.runs import Inputs

X = torch.ones(2, 3)


def cloned(value: Any) -> Any:
    return copied(value, torch.Tensor.clone)


def test_an_input_that_requires_a_gradient_still_does() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        with torch.enable_grad():
            return torch.autograd.grad(self.layer(x).sum(), x)[0]

    model = forward_of(forward, layer=nn.Linear(3, 1))
    x = torch.ones(2, 3, requires_grad=True)
    expected = model(x).tolist()
    trace = capture(model, (x,), noise=True)
    assert outputs(trace)[""] == [expected]
    assert [trace.run["noise"][kind] for kind in ("threads", "batch")] == ["measured", "measured"]
    assert x.grad is None


@pytest.mark.parametrize("mode", [torch.no_grad, torch.enable_grad], ids=["no grad", "grad"])
def test_the_copy_of_a_leaf_is_a_leaf(mode: Any) -> None:
    with mode():
        (x, ids), y = cloned(((X.clone().requires_grad_(), torch.ones(2, dtype=torch.long)), X))
    assert (x.requires_grad, ids.requires_grad, y.requires_grad) == (True, False, False)
    assert x.is_leaf


def test_what_cannot_be_copied_is_handed_on_in_a_copy_of_all_else() -> None:
    given = SimpleNamespace(lock=threading.Lock(), state=X, files=[(number for number in range(2))])
    again = cloned({"cache": given})["cache"]
    assert again is not given
    assert again.state is not X
    assert (again.lock, again.files[0]) == (given.lock, given.files[0])
    assert again.files is not given.files


def test_modules_that_an_object_refers_to_stay_themselves() -> None:
    model = nn.Linear(3, 1)
    given = SimpleNamespace(model=model, deep={"layers": [model]}, state=X)
    again = Inputs((given,)).fresh().args[0]
    assert again.model is again.deep["layers"][0] is model
    assert again.state is not X


def test_a_tensor_that_is_also_held_by_an_object_is_one_tensor_again() -> None:
    x, first, second = cloned((X, SimpleNamespace(x=X), SimpleNamespace(x=X)))
    assert x is first.x is second.x is not X


def test_an_object_with_a_copy_of_its_own_that_fails_is_handed_on() -> None:
    class Stubborn:
        def __init__(self) -> None:
            self.x = X

        def __deepcopy__(self, memo: Any) -> Any:
            raise ValueError("no")

    given = Stubborn()
    assert cloned([given])[0] is given

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from tracing import forward_of

from porting import capture
from porting.errors import CaptureError
from porting.trace.sketches import projection

X = torch.tensor([[1.0, -2.0, 3.0], [0.5, 2.0, -1.0]])


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2))


@pytest.mark.parametrize("disk", [False, True])
def test_gradients_of_outputs_and_parameters_are_those_of_autograd(disk: bool, tmp_path: Path) -> None:
    net = model()
    trace = capture(net, (X,), gradients=True, folder=tmp_path / "trace" if disk else None)
    hidden = net[0](X)
    active = net[1](hidden)
    result = net[2](active)
    weights = torch.from_numpy(projection(0, 4)).float().view(2, 2)
    tensors = {"0": hidden, "1": active, "2": result, "": result}
    expected = torch.autograd.grad((result * weights).sum(), [*tensors.values(), *net.parameters()])
    for (path, _), gradient in zip(tensors.items(), expected, strict=False):
        call = next(call for call in trace.calls if call.path == path)
        assert call.gradients is not None
        assert torch.allclose(trace.tensor(call.gradients.leaves[0]), gradient)
    parameters = [parameter for path in ("0", "2") for parameter in trace.modules[path].parameters]
    for parameter, gradient in zip(parameters, expected[len(tensors) :], strict=True):
        assert torch.allclose(trace.tensors[str(parameter.gradient)], gradient)
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_loss_is_what_gradients_are_of() -> None:
    net: Any = forward_of(lambda self, x: {"loss": self.net(x).square().sum(), "logits": self.net(x)}, net=model())
    trace = capture(net, (X,), gradients=True)
    found = [trace.tensors[str(parameter.gradient)] for parameter in trace.modules["net.2"].parameters]
    expected = torch.autograd.grad(net(X)["loss"], list(net.net[2].parameters()))
    assert all(torch.allclose(one, other) for one, other in zip(found, expected, strict=True))


def test_an_in_place_operation_does_not_change_whose_gradient_it_is() -> None:
    def forward(self: Any, x: torch.Tensor) -> Any:
        h = self.part(x)
        h.mul_(3)
        return h.sum()

    trace = capture(forward_of(forward, part=nn.Linear(3, 1, bias=False)), (X,), gradients=True)
    (call,) = [call for call in trace.calls if call.path == "part"]
    assert call.gradients is not None
    assert trace.tensor(call.gradients.leaves[0]).tolist() == [[3.0], [3.0]]


def test_outputs_without_a_gradient_say_so() -> None:
    def forward(self: Any, x: torch.Tensor) -> Any:
        return self.part(x), x.argmax(1), None

    trace = capture(forward_of(forward, part=nn.Linear(3, 2)), (X,), gradients=True)
    assert trace.calls[0].gradients is not None
    assert [leaf.type_name for leaf in trace.calls[0].gradients.leaves] == [None, "no gradient", "no gradient"]


@pytest.mark.parametrize("kind", ["frozen", "detached"])
def test_a_result_that_depends_on_no_parameter_is_refused(kind: str) -> None:
    net = model()
    if kind == "frozen":
        net.requires_grad_(requires_grad=False)
    net = net if kind == "frozen" else forward_of(lambda self, x: self.net(x).detach(), net=net)  # type: ignore[assignment]
    with pytest.raises(CaptureError, match="no gradients can be recorded"):
        capture(net, (X,), gradients=True)


def test_a_backward_that_raises_is_a_failed_run(tmp_path: Path) -> None:
    class Bad(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: object, *gradients: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("no backward here")

    bad: Any = Bad
    net = forward_of(lambda self, x: bad.apply(self.part(x)), part=nn.Linear(3, 2))
    with pytest.raises(CaptureError, match="no backward here"):
        capture(net, (X,), gradients=True, folder=tmp_path / "trace")

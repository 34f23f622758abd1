from __future__ import annotations

import pytest
import torch
from torch import nn

from porting.behaviour import Subject, agree
from porting.errors import CaptureError
from porting.runs import Inputs
from porting.tolerance import Tolerance

EXACT = Tolerance(0.0, 0.0)


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner = nn.Linear(64, 64)

    def forward(self, x: torch.Tensor) -> dict[str, object]:
        return {"hidden": self.inner(x), "count": x.shape[0], "ids": x.argmax(-1)}


@pytest.fixture
def subject() -> Subject:
    inputs = Inputs(kwargs={"x": torch.randn(3, 64, generator=torch.Generator().manual_seed(1))})
    return Subject("ported", Model().eval(), inputs, lambda model, given: given.forward(model), lambda _: None)


def test_the_outputs_are_the_floating_point_tensors_by_name(subject: Subject) -> None:
    assert list(subject.outputs()) == ["hidden"]


def test_the_allowance_is_a_multiple_of_the_measured_rounding(subject: Subject) -> None:
    given = subject.given["hidden"]
    rounding = subject.rounding("hidden")
    assert 0 < rounding < 1e-5
    assert subject.allowance("hidden", given).atol >= 10 * rounding


def test_random_numbers_are_no_rounding() -> None:
    inputs = Inputs(kwargs={"x": torch.randn(3, 64, generator=torch.Generator().manual_seed(1))})
    noisy = Subject(
        "ported", Model().eval(), inputs, lambda model, given: given.forward(model)["hidden"] + _noise(), _all
    )
    assert noisy.exact is None
    assert noisy.allowance("output", noisy.given["output"]).atol < 1e-5


def _noise() -> torch.Tensor:
    return torch.rand(3, 64)


def _all(_: Inputs) -> None:
    return None


def test_a_forward_that_raises_names_the_side(subject: Subject) -> None:
    with pytest.raises(CaptureError, match="the ported model's forward raised RuntimeError") as caught:
        subject.outputs(Inputs(kwargs={"x": torch.ones(3, 5)}))
    assert caught.value.side == "ported"


def test_equal_outputs_agree_and_others_are_named(subject: Subject) -> None:
    given = subject.given
    assert not agree(given, subject.outputs(), subject.allowance).wrong
    moved = {"hidden": given["hidden"] + 1e-4}
    assert [each.name for each in agree(given, moved, subject.allowance).wrong] == ["hidden"]


def test_only_valid_positions_count() -> None:
    one, other = {"x": torch.zeros(2, 3, 4)}, {"x": torch.zeros(2, 3, 4)}
    other["x"][1, 2] = 7
    valid = torch.tensor([[1, 1, 1], [1, 1, 0]]).bool()

    assert agree(one, other, lambda *_: EXACT).wrong
    assert not agree(one, other, lambda *_: EXACT, valid).wrong


def test_a_name_on_one_side_only_is_listed() -> None:
    agreement = agree({"x": torch.zeros(1)}, {"y": torch.zeros(1)}, lambda *_: pytest.fail("nothing is compared"))
    assert agreement.missing == ("x", "y")
    assert not agreement.compared

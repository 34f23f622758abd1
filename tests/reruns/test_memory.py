"""What memory may be written in a reference-fed run."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from porting.reruns.memory import Loan, Memory


def test_parameters_and_repeated_elements_are_not_written() -> None:
    model = nn.Linear(3, 3)
    memory = Memory(model)
    assert not memory.writable(model.weight.detach().t())
    assert not memory.writable(torch.ones(3, 1).expand(3, 4))
    assert memory.writable(torch.ones(3, 4).t())


def test_what_is_the_originals_is_not_written_anew_as_long_as_it_lives() -> None:
    memory, given = Memory(nn.Identity()), torch.ones(2, 3)
    memory.give(given)
    view = given.t()
    assert memory.writable(view)
    assert not memory.writable(view, anew=True)
    del given
    assert not memory.writable(view, anew=True)


@pytest.mark.parametrize("inference", [False, True])
def test_a_loan_knows_whether_it_was_written(inference: bool) -> None:
    with torch.inference_mode(inference):
        loan = Loan.of(torch.zeros(3), torch.ones(3))
        assert not loan.changed
        loan.fed.view(3)[1] = 5
        assert loan.changed

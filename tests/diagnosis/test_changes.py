"""Changes for one trial: in place while the context lasts, and gone afterwards."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import pytest
import torch
from torch import nn

from porting.diagnosis import changes

INPUT = torch.arange(8.0).reshape(2, 4)


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Dropout(0.5)).eval()


CHANGES: dict[str, Callable[[nn.Sequential], AbstractContextManager[object]]] = {
    "setting": lambda m: changes.setting(m[1], "eps", 1.0),
    "training": lambda m: changes.training(m, True),
    "content": lambda m: changes.content(m.get_parameter("0.weight"), torch.eye(4)),
    "submodule": lambda m: changes.submodule(m, "1", nn.Identity()),
    "forward": lambda m: changes.forward(m[0], torch.sin),
    "output": lambda m: changes.output(m[0], torch.cos),
    "argument": lambda m: changes.argument(m[0], torch.cos, "input"),
    "together": lambda m: changes.together(
        partial(changes.setting, m[1], "eps", 1.0), partial(changes.output, m[0], torch.cos)
    )(),
}


def ran(module: nn.Module) -> torch.Tensor:
    torch.manual_seed(0)
    with torch.no_grad():
        result: torch.Tensor = module(INPUT)
    return result


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_lasts_as_long_as_its_context(change: str) -> None:
    module = model()
    before = ran(module)
    with CHANGES[change](module):
        assert not torch.equal(ran(module), before)
    assert torch.equal(ran(module), before)
    assert [vars(each).keys() for each in module.modules()] == [vars(each).keys() for each in model().modules()]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_undone_when_the_trial_is_interrupted(change: str) -> None:
    module = model()
    before = ran(module)
    with pytest.raises(KeyboardInterrupt), CHANGES[change](module):
        raise KeyboardInterrupt
    assert torch.equal(ran(module), before)


def test_of_several_changes_none_stays_when_one_cannot_be_made() -> None:
    module = model()
    before = ran(module)
    both = changes.together(
        partial(changes.setting, module[1], "eps", 1.0),
        partial(changes.content, module.get_parameter("0.weight"), torch.ones(3)),
    )
    with pytest.raises(ValueError, match="shape"), both():
        pass
    assert torch.equal(ran(module), before)


def test_a_leaf_of_a_nested_output_is_changed_by_its_name() -> None:
    class Pair(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, tuple[torch.Tensor, ...]]:
            return {"both": (x, 2 * x)}

    module = Pair()
    with changes.output(module, torch.neg, "both.1"):
        changed = module(INPUT)["both"]
    assert torch.equal(changed[0], INPUT)
    assert torch.equal(changed[1], -2 * INPUT)


def test_an_argument_is_changed_however_it_is_passed() -> None:
    class Sum(nn.Module):
        def forward(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
            return one + 10 * other

    module = Sum()
    with changes.argument(module, torch.neg, "other"):
        results = [module(INPUT, INPUT.clone()), module(INPUT, other=INPUT.clone())]
    assert all(torch.equal(result, INPUT - 10 * INPUT) for result in results)

"""A module that is unlike those at its place in the other layers."""

from __future__ import annotations

from typing import Any

from torch import nn

from porting.isolation.kin import deviates


def test_one_odd_activation_among_layers_deviates() -> None:
    model: Any = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.GELU()) for _ in range(3)))
    model[1][1] = nn.ReLU()
    assert [path for path, _ in model.named_modules() if deviates(model, path)] == ["1.1"]


def test_layers_of_other_widths_are_no_kin() -> None:
    model = nn.Sequential(*(nn.Sequential(nn.Linear(width, width)) for width in (4, 8, 8, 8)))
    assert not any(deviates(model, path) for path, _ in model.named_modules())


def test_what_is_customary_at_another_place_of_the_block_is_odd_here() -> None:
    def block() -> nn.Sequential:
        return nn.Sequential(nn.ReLU(), nn.ReLU(), nn.Identity())

    model: Any = nn.Sequential(*(block() for _ in range(3)))
    model[1][2] = nn.ReLU()
    assert [path for path, _ in model.named_modules() if deviates(model, path)] == ["1.2"]


def test_the_first_block_of_every_stage_may_have_a_stride_of_its_own() -> None:
    def stage() -> nn.Sequential:
        return nn.Sequential(*(nn.Conv2d(4, 4, 3, stride=stride) for stride in (2, 1, 1, 1)))

    model: Any = nn.Sequential(*(stage() for _ in range(3)))
    assert not any(deviates(model, path) for path, _ in model.named_modules())
    model[1][2] = nn.Conv2d(4, 4, 3, stride=2)
    assert [path for path, _ in model.named_modules() if deviates(model, path)] == ["1.2"]

"""Isolation again, after an earlier run: the same verdicts, and rounding is only measured where one hangs on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn
from toys import make_inputs, make_pair

from porting import capture
from porting.alignment import align
from porting.isolation.isolating import Isolation, isolate
from porting.reruns.precision import in_float64
from porting.runs import Inputs

FREE = frozenset({"model.layers.0.mlp.up"})


def large(port: Any) -> None:
    nn.init.normal_(port.model.layers[0].mlp.up.weight)


def small(port: Any) -> None:
    with torch.no_grad():
        port.model.layers[0].mlp.up.weight.mul_(1 + 1e-5)


def runs(break_port: Callable[[Any], object], monkeypatch: pytest.MonkeyPatch) -> tuple[list[Isolation], list[int]]:
    """A run with free outputs, without and with an earlier one, and how many float64 runs each needed."""
    original, ported = make_pair()
    break_port(ported)
    first, second = make_inputs()
    one, other = capture(original, first), capture(ported, second)
    judge = (ported, Inputs(kwargs=second), one, other, align(one, other))
    counted: list[int] = []

    @contextmanager
    def counting(model: nn.Module) -> Iterator[Any]:
        counted[-1] += 1
        with in_float64(model) as promotion:
            yield promotion

    earlier = isolate(*judge)
    monkeypatch.setattr("porting.isolation.isolating.in_float64", counting)
    found = []
    for known in (None, earlier):
        counted.append(0)
        found.append(isolate(*judge, free=FREE, known=known))
    return found, counted


def verdicts(isolation: Isolation) -> list[tuple[Any, ...]]:
    return [(o.ported.key, o.where, o.leaf, o.above_noise, o.blamed) for o in isolation.observations]


@pytest.mark.parametrize(("bug", "measured"), [(large, [1, 0]), (small, [1, 1])])
def test_an_earlier_run_saves_measuring_and_changes_no_verdict(
    bug: Callable[[Any], object], measured: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    (fresh, again), counted = runs(bug, monkeypatch)
    assert verdicts(again) == verdicts(fresh)
    assert again.made_up_for == fresh.made_up_for
    assert any(o.above_noise for o in again.observations)
    assert counted == measured

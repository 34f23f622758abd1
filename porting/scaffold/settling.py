"""Settle numbers of heads, which no shape tells, by running both sides: those with which they return the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from porting.portfile import Portfile
from porting.runs import Side
from porting.scaffold.settings import changed
from porting.trace import flatten

Change = Mapping[str, Any]
Outputs = list[torch.Tensor]


def settle(
    portfile: Portfile,
    config_class: Callable[..., Any],
    settings: Mapping[str, Any],
    ways: Mapping[str, Sequence[Change]],
) -> dict[str, Any]:
    """The changes of the settings with which the port is nearest to the original, one open setting after another.

    Args:
        portfile: that builds both sides; its port is built with whatever its function ``config`` returns.
        config_class: of the port.
        settings: that it is given so far.
        ways: for each open setting what may be changed, as dotted names with their values.
    """
    wanted = _returned(portfile, "original")
    chosen: dict[str, Any] = {}
    nearest = _distance(portfile, config_class(**settings), wanted)
    for changes in ways.values():
        for change in changes:
            if nearest <= _exact(wanted):
                return chosen
            config = config_class(**changed(settings, {**chosen, **change}))
            distance = _distance(portfile, config, wanted)
            if distance < nearest:
                chosen, nearest = {**chosen, **change}, distance
    return chosen


@contextmanager
def defining(portfile: Portfile, **functions: Callable[..., Any]) -> Iterator[None]:
    """Have the portfile's own code call other functions for a while."""
    scope = portfile.functions["ported"].__globals__
    before = {name: scope[name] for name in functions}
    scope.update(functions)
    try:
        yield
    finally:
        scope.update(before)


def _exact(wanted: Outputs) -> float:
    """The mean difference below which nothing is left to be settled."""
    return 1e-6 * max((float(each.abs().mean()) for each in wanted), default=0.0)


def _distance(portfile: Portfile, config: Any, wanted: Outputs) -> float:
    """How far the port's outputs are from the original's, on average; infinite where it does not run."""
    try:
        with defining(portfile, config=lambda: config):
            found = _returned(portfile, "ported")
    except Exception:  # whatever a model raises for heads that it cannot have
        return float("inf")
    pairs = [(one, other) for one, other in zip(wanted, found, strict=False) if one.shape == other.shape]
    distances = [float((one - other).abs().mean()) for one, other in pairs]
    return sum(distances) if pairs and not any(map(math.isnan, distances)) else float("inf")


def _returned(portfile: Portfile, side: Side) -> Outputs:
    model = portfile.build(side)
    with torch.no_grad():
        result = portfile.run(side, model, portfile.inputs(side))
    return [
        each.double() for _, each in flatten(result)[1] if isinstance(each, torch.Tensor) and each.is_floating_point()
    ]

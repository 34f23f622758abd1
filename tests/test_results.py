from __future__ import annotations

from importlib import import_module

import pytest

from porting.results import Result

HOMES = {
    "Comparison": "porting.comparison",
    "Recording": "porting.recording",
    "Verification": "porting.verification",
    "WeightsReport": "porting.weights",
}


@pytest.mark.parametrize("name", HOMES)
def test_repr_is_the_one_line_of_results(name: str) -> None:
    kind = getattr(import_module(HOMES[name]), name)
    assert kind.__repr__ is Result.__repr__

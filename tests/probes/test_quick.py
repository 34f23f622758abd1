"""Probes by their outputs alone, and the modules only where the outputs differ and nothing is known."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from porting.errors import PortfileError
from porting.probes.quick import quickly
from porting.runs import Inputs
from porting.tolerance import Tolerance

X = Inputs(kwargs={"x": torch.ones(2, 3)})


def _verifier(factor: float, thoroughly: Any, **more: Any) -> Any:
    return quickly(
        lambda inputs: {"y": inputs.kwargs["x"]},
        lambda inputs: {"y": inputs.kwargs["x"] * factor},
        thoroughly,
        **{"outputs": None, "tolerance": Tolerance(), "counted": lambda _: None, **more},
    )


def test_equal_outputs_need_no_verification() -> None:
    found = _verifier(1.0, lambda *_: pytest.fail("not asked"))(X, X, None)
    assert (found.verdict, [each.name for each in found.outputs], found.culprits) == ("match", ["y"], ())


def test_outputs_that_differ_are_verified_unless_the_culprits_are_known() -> None:
    assert _verifier(2.0, lambda *given: given)(X, X, None) == (X, X, None)
    known: Any = ("culprit",)
    found = _verifier(2.0, lambda *_: pytest.fail("not asked"), culprits=known)(X, X, None)
    assert (found.verdict, found.culprits) == ("mismatch", known)


def test_only_valid_positions_count() -> None:
    valid = torch.tensor([[True, False, False], [False, False, False]])
    found = _verifier(1.0, None)(X, Inputs(kwargs={"x": torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])}), valid)
    assert found.verdict == "match"


def test_outputs_that_are_for_the_given_inputs_only_are_asked_once() -> None:
    asked = []

    def outputs(original: Any, ported: Any) -> Any:
        asked.append(original)
        raise PortfileError("outputs() raised IndexError on these inputs")

    verify = _verifier(1.0, None, outputs=outputs)
    for _ in range(2):
        with pytest.raises(PortfileError, match="IndexError"):
            verify(X, X, None)
    assert len(asked) == 1

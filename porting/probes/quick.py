"""Probes by their outputs alone: two forwards each, and a whole verification only where those differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from porting.comparison import NamedComparison
from porting.comparison.results import compare_results
from porting.comparison.traces import verdict_of
from porting.diagnosis import Culprit
from porting.errors import PortfileError
from porting.probes.result import Verified
from porting.probes.running import Verify
from porting.runs import Inputs, OutputPairs
from porting.tolerance import Tolerance

Forward = Callable[[Inputs], Any]
"""Runs one side; what its forward returned."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """The outputs of one run of both sides, in the place of a verification."""

    outputs: tuple[NamedComparison, ...]
    culprits: tuple[Culprit, ...] = ()

    @property
    def verdict(self) -> str:
        """By the outputs alone."""
        return verdict_of(self.outputs)


def quickly(
    original: Forward,
    ported: Forward,
    thoroughly: Verify,
    *,
    outputs: Callable[[Any, Any], OutputPairs | None] | None,
    tolerance: Tolerance,
    counted: Callable[[Inputs], torch.Tensor | None],
    culprits: tuple[Culprit, ...] = (),
) -> Verify:
    """What verifies on a probe's inputs by comparing the outputs.

    Args:
        original: runs the original; a `CaptureError` of it is of its side.
        ported: runs the port.
        thoroughly: asked where outputs differ, for the culprits.
        outputs: (name, original, ported) of the final outputs, where the user says them.
        tolerance: that decides.
        counted: bool over (batch, sequence) of what counts in inputs of the port.
        culprits: those that are known from the given inputs; with any, nothing is asked of ``thoroughly``.
    """
    refusals: list[PortfileError] = []

    def verify(inputs: Inputs, original_inputs: Inputs, mask: torch.Tensor | None) -> Verified:
        if refusals:  # the user pairs the outputs of the given inputs only
            raise refusals[0]
        results = original(original_inputs), ported(inputs)
        try:
            pairs = outputs(*results) if outputs else None
        except PortfileError as error:
            refusals.append(error)
            raise
        valid = counted(inputs)
        found = compare_results(*results, tolerance, pairs=pairs, valid=mask if valid is None else valid)
        if verdict_of(found) != "mismatch":
            return Outputs(found)
        return Outputs(found, culprits) if culprits else thoroughly(inputs, original_inputs, mask)

    return verify

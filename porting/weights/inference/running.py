"""The proposal at work: converted in memory, tried, corrected, and verified against the original."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from porting.hooks.capturing import capture
from porting.hooks.module_tree import all_tensors
from porting.progress import Progress, silent
from porting.runs import Inputs, Run
from porting.tolerance import Tolerance
from porting.trace import Trace
from porting.verification import verify
from porting.weights.inference.claims import Claim
from porting.weights.inference.heads import has_rotary, head_counts
from porting.weights.inference.needing import needed
from porting.weights.inference.searching import TRIALS, search
from porting.weights.inference.seeing import Bench, Outputs, Read

if TYPE_CHECKING:
    from porting.verification import Verification

PROVEN = 0.99
"""Confidence in what the converted port was seen to need."""


@dataclass(frozen=True)
class Sides:
    """What is needed to run both sides.

    Attributes:
        original: the live original, or its trace.
        inputs: of the port.
        original_inputs: of a live original, if they are others.
        run_original: how to run it, if not by calling it.
        run_ported: the same for the port.
        outputs: which final outputs are compared.
        valid_positions: what of them counts; None as `porting.verify` decides.
        tolerance: of the outputs.
        trials: how often the port is run at most.
        progress: called as the work goes on.
    """

    original: torch.nn.Module | Trace
    inputs: Inputs
    original_inputs: Inputs | None = None
    run_original: Run | None = None
    run_ported: Run | None = None
    outputs: Outputs | None = None
    valid_positions: torch.Tensor | None = None
    tolerance: Tolerance | None = None
    trials: int = TRIALS
    progress: Progress = silent

    @property
    def valid(self) -> torch.Tensor | None:
        """The positions that count."""
        return self.inputs.attended() if self.valid_positions is None else self.valid_positions

    def trace(self) -> Trace:
        """The original's trace, recorded now if there is none."""
        if isinstance(self.original, Trace):
            return self.original
        given = self.inputs if self.original_inputs is None else self.original_inputs
        return capture(
            self.original,
            given,
            run=self.run_original,
            valid_positions=self.valid,
            side="original",
            progress=self.progress,
        )


@dataclass(frozen=True)
class Outcome:
    """What running gave.

    Attributes:
        claims: corrected, with what was seen in their confidence and evidence.
        verified: names of the port's tensors that were seen to be right.
        verification: of the converted port.
        trials: how often it was run before.
    """

    claims: tuple[Claim, ...]
    verified: frozenset[str]
    verification: Verification
    trials: int


def run_proposal(claims: Sequence[Claim], ported: torch.nn.Module, read: Read, sides: Sides, trace: Trace) -> Outcome:
    """Convert in memory, try alternatives where the port differs, verify what works best.

    The port has its own weights again afterwards.

    Args:
        claims: from names and shapes.
        ported: the live port; its weights are of no account.
        read: gives a tensor of the checkpoint by its name.
        sides: how to run both.
        trace: of the original.
    """
    with _lent(ported):
        return _run(claims, ported, read, sides, trace)


def _run(claims: Sequence[Claim], own: torch.nn.Module, read: Read, sides: Sides, trace: Trace) -> Outcome:
    bench = Bench(trace, own, sides.inputs, read, sides.run_ported, sides.outputs, sides.tolerance)
    found = search(
        bench, claims, head_counts(own), rotary=has_rotary(own), trials=sides.trials, progress=sides.progress
    )
    bench.load(found.claims)
    verification = verify(
        sides.original,
        own,
        sides.inputs,
        original_inputs=None if isinstance(sides.original, Trace) else sides.original_inputs,
        run_original=sides.run_original,
        run_ported=sides.run_ported,
        outputs=sides.outputs,
        valid_positions="attended" if sides.valid is None else sides.valid,
        tolerance=sides.tolerance,
        progress=sides.progress,
    )
    proven = needed(bench, found.sight) if verification.verdict == "match" else frozenset()
    return Outcome(_with_evidence(found.claims, proven, found.changed), proven, verification, bench.trials)


@contextmanager
def _lent(model: torch.nn.Module) -> Iterator[None]:
    """Within this context a model's tensors may be written to; they are put back."""
    before = [(tensor, tensor.detach().clone()) for tensor in all_tensors(model)]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in before:
                tensor.copy_(value)


def _with_evidence(claims: Sequence[Claim], proven: frozenset[str], changed: dict[str, str]) -> tuple[Claim, ...]:
    done = []
    for claim in claims:
        names = claim.target_names
        why = dict.fromkeys(f"tried: {changed[name]}" for name in names if name in changed)
        ran = ("the converted port was run and matches",) if proven.issuperset(names) else ()
        confidence = max(claim.confidence, PROVEN) if ran else claim.confidence
        done.append(replace(claim, confidence=confidence, evidence=(*ran, *why, *claim.evidence)))
    return tuple(done)

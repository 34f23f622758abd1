"""Propose the rules that turn a checkpoint into the weights of a port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from porting.errors import PortingError
from porting.original.recorded import recorded_inputs
from porting.progress import Progress, silent
from porting.runs import Inputs, Run
from porting.tolerance import Tolerance
from porting.trace import Trace
from porting.verification import Given
from porting.weights.inference.aliases import aliases
from porting.weights.inference.claims import Claim
from porting.weights.inference.heads import has_rotary
from porting.weights.inference.leaving import UNKNOWN, reasons
from porting.weights.inference.norms import adding_one
from porting.weights.inference.proposing import Proposal, propose, targets_of, tied_of
from porting.weights.inference.result import Inference, Proposed
from porting.weights.inference.ruling import ruled
from porting.weights.inference.running import Sides, run_proposal
from porting.weights.inference.searching import TRIALS
from porting.weights.inference.seeing import Outputs
from porting.weights.rules.rule import Drop, Rule
from porting.weights.source import Checkpoint, Source, source_of

if TYPE_CHECKING:
    from porting.weights.inference.compacting import Compact
    from porting.weights.inference.units import Unit
    from porting.weights.report import Spec

DROPPED, LEFT = 0.9, 0.5
"""Confidence in what is left out: for a reason that its name gives, and for none."""


def infer_rules(
    checkpoint: Checkpoint,
    ported: torch.nn.Module,
    *,
    original: torch.nn.Module | Trace | None = None,
    inputs: Given | None = None,
    original_inputs: Given | None = None,
    run_original: Run | None = None,
    run_ported: Run | None = None,
    outputs: Outputs | None = None,
    valid_positions: torch.Tensor | None = None,
    tolerance: Tolerance | None = None,
    trials: int = TRIALS,
    allow_pickle_code: str | None = None,
    progress: Progress = silent,
) -> Inference:
    """Propose the rules that turn a checkpoint into the weights of a port.

    Names, shapes and order alone give a proposal. With the original, live or as a trace, it is converted in memory,
    run and corrected: alternatives are tried where the port first differs.

    Args:
        checkpoint: a path or a state dict; without an original its tensors are not read.
        ported: the port, live or on the meta device (`porting.weights.build_on_meta`); live to be run. It has
            its own weights again afterwards.
        original: the original or its trace.
        inputs: of the port, and of a live original unless it has its own; None for those of the trace.
        original_inputs: where the two forwards take different arguments.
        run_original: how to run the original, when that is not ``model(*args, **kwargs)``.
        run_ported: the same for the port.
        outputs: ``outputs(original_out, ported_out)`` gives (name, original, ported) of the final outputs.
        valid_positions: bool over (batch, sequence) of what counts; None for the inputs' attention mask.
        tolerance: 1e-3 absolute and relative, if None.
        trials: how often the port is run at most.
        allow_pickle_code: the sha256 of a pickle that may run any code when it is loaded (`read_headers`).
        progress: called as the work goes on.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        CaptureError: the original raised.
        PortingError: the original is given without inputs, or with a port on the meta device.
    """
    source = source_of(checkpoint, allow_pickle_code=allow_pickle_code)
    targets = targets_of(ported)
    if original is None:
        proposal = propose(source.specs, targets, rotary=has_rotary(ported), adding_one=adding_one(ported))
        return _inference(source, len(targets), proposal, proposal.claims, tied_of(ported))
    sides = Sides(
        original,
        _given(original, inputs, ported),
        None if original_inputs is None else _inputs(original_inputs),
        run_original=run_original,
        run_ported=run_ported,
        outputs=outputs,
        valid_positions=valid_positions,
        tolerance=tolerance,
        trials=trials,
        progress=progress,
    )
    trace = sides.trace()
    names = aliases(source.specs, source.read, trace)
    proposal = propose(source.specs, targets, rotary=has_rotary(ported), adding_one=adding_one(ported), names=names)
    outcome = run_proposal(proposal.claims, ported, source.read, sides, trace)
    found = _inference(source, len(targets), proposal, outcome.claims, tied_of(ported), outcome.verified)
    missing = found.missing
    if outcome.verification.verdict == "match":  # what is computed by the port itself need not be made
        missing = tuple(name for name in missing if name in dict(ported.named_parameters()))
    return replace(found, missing=missing, verification=outcome.verification, trials=outcome.trials)


def _inference(
    source: Source,
    total: int,
    proposal: Proposal,
    claims: Sequence[Claim],
    tied: Sequence[Unit],
    verified: frozenset[str] = frozenset(),
) -> Inference:
    proposed = proposed_of(claims, reasons(proposal.sources, tied), source.specs, verified=verified)
    return Inference(source.label, total, proposed, tuple(n for unit in proposal.targets for n in unit.members))


def _given(original: torch.nn.Module | Trace, inputs: Given | None, ported: torch.nn.Module) -> Inputs:
    """The inputs of the port.

    Raises:
        PortingError: there are none, or the port cannot be run.
    """
    if any(parameter.is_meta for parameter in ported.parameters()):
        raise PortingError(
            "the port is on the meta device, and rules are tried on a port that runs",
            hint="pass a live one; its weights are of no account: ported_class(config)",
        )
    if inputs is not None:
        return _inputs(inputs)
    if isinstance(original, Trace):
        return recorded_inputs(original)
    raise PortingError("the original is given without inputs", hint="pass inputs, or the original as a trace")


def _inputs(given: Given) -> Inputs:
    return given if isinstance(given, Inputs) else Inputs.of(given, "inputs")


def proposed_of(
    claims: Sequence[Claim],
    left: Mapping[str, str],
    specs: Mapping[str, Spec],
    *,
    verified: frozenset[str] = frozenset(),
) -> tuple[Proposed, ...]:
    """The rules of claims with their evidence, and the names that are kept.

    Args:
        claims: what becomes of what.
        left: reasons for what is left out, by name.
        specs: all that the checkpoint holds.
        verified: names of the port's tensors that running it showed to be right.
    """
    compact = ruled(claims, left, specs)
    ruling = {name for each in compact for claim in each.claims for name in claim.target_names}
    kept = [claim for claim in claims if not ruling.issuperset(claim.target_names)]
    rules = [_proposed(each, verified) for each in compact]
    return (*rules, *([_of_claims(None, kept, verified)] if kept else ()))


def _proposed(each: Compact, verified: frozenset[str]) -> Proposed:
    if isinstance(each.rule, Drop):
        score = LEFT if each.rule.reason == UNKNOWN else DROPPED
        return Proposed(each.rule, each.names, (score,) * len(each.names), (each.rule.reason,))
    return _of_claims(each.rule, each.claims, verified)


def _of_claims(rule: Rule | None, claims: Sequence[Claim], verified: frozenset[str]) -> Proposed:
    evidence = dict.fromkeys(
        why for claim in sorted(claims, key=lambda claim: claim.confidence) for why in claim.evidence
    )
    names = tuple(name for claim in claims for name in claim.target_names)
    scores = tuple(claim.confidence for claim in claims for _ in claim.target_names)
    return Proposed(rule, names, scores, tuple(evidence), verified.intersection(names))

"""Propose the rules that turn a checkpoint into the weights of a port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from porting.weights.inference.claims import Claim
from porting.weights.inference.leaving import UNKNOWN, reasons
from porting.weights.inference.proposing import has_rotary, propose, targets_of, tied_of
from porting.weights.inference.result import Inference, Proposed, least
from porting.weights.inference.ruling import ruled
from porting.weights.rules.rule import Drop, Rule
from porting.weights.source import Checkpoint, source_of

if TYPE_CHECKING:
    from porting.weights.inference.compacting import Compact
    from porting.weights.report import Spec

DROPPED, LEFT = 0.9, 0.5
"""Confidence in what is left out: for a reason that its name gives, and for none."""


def infer_rules(checkpoint: Checkpoint, ported: torch.nn.Module) -> Inference:
    """Propose the rules, from names, shapes and order alone.

    Args:
        checkpoint: a path or a state dict; its tensors are not read.
        ported: the port, live or on the meta device (`porting.weights.build_on_meta`).

    Raises:
        CheckpointError: the checkpoint cannot be read.
    """
    source, targets = source_of(checkpoint), targets_of(ported)
    proposal = propose(source.specs, targets, rotary=has_rotary(ported))
    left = reasons(proposal.sources, tied_of(ported))
    proposed = proposed_of(proposal.claims, left, source.specs)
    missing = tuple(unit.name for unit in proposal.targets)
    return Inference(source.label, len(targets), proposed, missing)


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
        return Proposed(each.rule, each.names, score, (each.rule.reason,))
    return _of_claims(each.rule, each.claims, verified)


def _of_claims(rule: Rule | None, claims: Sequence[Claim], verified: frozenset[str]) -> Proposed:
    evidence = dict.fromkeys(
        why for claim in sorted(claims, key=lambda claim: claim.confidence) for why in claim.evidence
    )
    names = tuple(name for claim in claims for name in claim.target_names)
    ran = verified.issuperset(names)
    return Proposed(rule, names, least([claim.confidence for claim in claims]), tuple(evidence), ran)

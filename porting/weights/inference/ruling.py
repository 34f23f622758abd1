"""The list of rules for a proposal, checked: planned over the checkpoint, it gives what was claimed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from porting.weights.inference.claims import Claim
from porting.weights.inference.compacting import Compact, compacted, dropping, unkept
from porting.weights.inference.units import Unit
from porting.weights.report import Spec
from porting.weights.rules.planning import plan
from porting.weights.rules.steps import Plan


def ruled(claims: Sequence[Claim], left: Mapping[str, str], specs: Mapping[str, Spec]) -> list[Compact]:
    """Rules that turn a checkpoint into what is claimed, the narrower first.

    Args:
        claims: what becomes of what.
        left: names that nothing takes, with the reason.
        specs: all that the checkpoint holds.
    """
    reasons = dict.fromkeys(left.values())
    drops = [each for reason in reasons for each in dropping([n for n, why in left.items() if why == reason], reason)]
    rules = sorted([*compacted(unkept(claims)), *drops], key=lambda each: each.literal)
    wrong = _wrong(rules, claims, left, specs)
    return [*_literal(wrong), *rules] if wrong else rules


def _wrong(
    rules: Sequence[Compact], claims: Sequence[Claim], left: Mapping[str, str], specs: Mapping[str, Spec]
) -> list[Claim]:
    """The claims that the rules do not give, as a wider one takes what is another's."""
    planned = plan([each.rule for each in rules], specs)
    found = {step.sources: step.targets for step in planned.steps}
    wrong = [claim for claim in claims if not all(found.get(one) == other for one, other in _singly(claim))]
    return wrong + _undropped(planned, left)


def _singly(claim: Claim) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The steps of a claim: one for each member of a list that becomes a list."""
    (source, *more), (target, *others) = claim.sources, claim.targets or claim.sources
    if source.is_list and target.is_list and not more and not others:
        return [((one,), (other,)) for one, other in zip(source.members, target.members, strict=True)]
    return [(tuple(claim.source_names), tuple(claim.target_names))]


def _undropped(planned: Plan, left: Mapping[str, str]) -> list[Claim]:
    """What was to be left out and is not, as claims without a target."""
    return [
        Claim((Unit(name, (), (name,)),), (), (), 1.0, (why,))
        for name, why in left.items()
        if name not in planned.dropped
    ]


def _literal(claims: Sequence[Claim]) -> list[Compact]:
    """Rules for each claim by itself, its names in full."""
    return [
        rule
        for claim in claims
        for rule in (compacted([claim]) if claim.targets else dropping(claim.source_names, claim.evidence[0]))
    ]

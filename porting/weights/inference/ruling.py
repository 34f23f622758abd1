"""The list of rules for a proposal, checked: planned over the checkpoint, it gives what was claimed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from porting.weights.inference.claims import Claim
from porting.weights.inference.compacting import Compact, compacted, dropping, unkept
from porting.weights.inference.units import Unit
from porting.weights.report import Spec
from porting.weights.rules.planning import Plan, plan
from porting.weights.rules.rule import Convert, Rename


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
    wrong = [claim for claim in claims if found.get(tuple(claim.source_names)) != tuple(claim.target_names)]
    return wrong + _undropped(planned, left)


def _undropped(planned: Plan, left: Mapping[str, str]) -> list[Claim]:
    """What was to be left out and is not, as claims without a target."""
    return [
        Claim((Unit(name, (), (name,)),), (), (), 1.0, (why,))
        for name, why in left.items()
        if name not in planned.dropped
    ]


def _literal(claims: Sequence[Claim]) -> list[Compact]:
    """A rule of its own for each claim, its names in full."""
    found = []
    for claim in claims:
        if not claim.targets:
            found += dropping(claim.source_names, claim.evidence[0])
            continue
        sources, targets = ([_pattern(unit) for unit in side] for side in (claim.sources, claim.targets))
        rule = Convert(sources, targets, *claim.operations) if claim.operations else Rename(sources[0], targets[0])
        found.append(Compact(rule, (claim,)))
    return found


def _pattern(unit: Unit) -> str:
    return unit.name.replace("{", "{{").replace("}", "}}")

"""Which checkpoint tensors make which tensor of the model, by the rules; and what that leaves over."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch

from porting.text import show
from porting.weights.report import Finding, Remark, Spec
from porting.weights.rules.planning import Rules, plan
from porting.weights.rules.steps import Plan, Step, listing
from porting.weights.rules.transforms import own_transforms
from porting.weights.source import spec


@dataclass(frozen=True)
class ModelTensors:
    """The parameters and persistent buffers of a model.

    Attributes:
        model: the model.
        tensors: as in its state dict, tied ones under each of their names.
        ties: for each name that shares its tensor, the other names: by identity, or declared to Transformers.
        prefix: the base model's attribute in a model with a head (``"bert."``), or nothing.
    """

    model: torch.nn.Module
    tensors: Mapping[str, torch.Tensor]
    ties: Mapping[str, tuple[str, ...]]
    prefix: str

    @classmethod
    def of(cls, model: torch.nn.Module) -> ModelTensors:
        """Collect them from a live model or one on the meta device."""
        state = model.state_dict(keep_vars=True)
        tensors = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
        prefix = getattr(model, "base_model_prefix", "")
        return cls(model, tensors, _ties(model, tensors), f"{prefix}." if isinstance(prefix, str) and prefix else "")


@dataclass(frozen=True)
class Matching:
    """The outcome.

    Attributes:
        steps: those that make at least one tensor of the model, in its shape and from no other step; under their
            targets are the model's names.
        made: name of the model's tensor to the step that makes it.
        tied: the same for names that nothing makes, through a name they are tied to: that name.
        findings: COLLISION, MISMATCH, CONVERSION, MISSING, UNEXPECTED, UNUSED, DTYPE and TIED.
        warnings: on prefixes and rules.
        dropped: checkpoint name to the reason for which the rules leave it out.
        lost: steps with a target that the model lacks.
    """

    steps: tuple[Step, ...]
    made: Mapping[str, Step]
    tied: Mapping[str, str]
    findings: tuple[Finding, ...]
    warnings: tuple[Remark, ...]
    dropped: Mapping[str, str]
    lost: tuple[Step, ...]


def match(checkpoint: Mapping[str, Spec], model: ModelTensors, rules: Rules | None = None) -> Matching:
    """Match names after the rules and, like ``from_pretrained``, with the base prefix added or removed.

    Without rules, those apply with which Transformers itself loads checkpoints of the model's class.

    Raises:
        RuleError: the rules are not usable.
    """
    given = (own_transforms(model.model) or None) if rules is None else rules
    planned = plan(given, checkpoint, config=getattr(model.model, "config", None), model=model.model)
    placed = [_placed(step, model) for step in planned.steps]
    makers: dict[str, list[Step]] = {}
    for step in placed:
        for target in step.targets:
            makers.setdefault(target, []).append(step)
    made, tied, findings = _judge(model, makers, _failed(planned))
    kept = {id(step) for step in made.values()}
    over = _left_over(checkpoint, model, placed, planned, strict_names=not _by_name(rules))
    return Matching(
        tuple(step for step in placed if id(step) in kept),
        made,
        tied,
        (*findings, *over),
        (*_prefix_remark(model, planned, placed), *_dropped(planned), *planned.remarks),
        planned.dropped,
        tuple(step for step in placed if any(name not in model.tensors for name in step.targets)),
    )


def _by_name(rules: Rules | None) -> bool:
    return rules is None or isinstance(rules, Mapping) or callable(rules)


def _placed(step: Step, model: ModelTensors) -> Step:
    targets = tuple(_place(name, model) for name in step.targets)
    return step if targets == step.targets else dataclasses.replace(step, targets=targets)


def _place(name: str, model: ModelTensors) -> str:
    if name in model.tensors or not model.prefix:
        return name
    candidates = (name.removeprefix(model.prefix), model.prefix + name)
    return next((candidate for candidate in candidates if candidate in model.tensors), name)


def _failed(planned: Plan) -> dict[str, tuple[tuple[str, ...], str]]:
    """The targets whose rule could not be applied: from what, and why."""
    return {name: (problem.sources, problem.message) for problem in planned.problems for name in problem.targets}


def _judge(
    model: ModelTensors,
    makers: Mapping[str, list[Step]],
    failed: Mapping[str, tuple[tuple[str, ...], str]],
) -> tuple[dict[str, Step], dict[str, str], list[Finding]]:
    made: dict[str, Step] = {}
    tied: dict[str, str] = {}
    findings = []
    for name, tensor in model.tensors.items():
        own = spec(name, tensor)
        given = makers.get(name, [])
        result = given[0].result(name) if given else None
        if len(given) == 1 and result is not None and result.shape == own.shape:
            made[name] = given[0]
            if result.dtype != own.dtype:
                findings.append(Finding("DTYPE", name, result, own))
        elif given:
            findings.append(_unusable(name, own, given))
        elif name in failed:
            sources, why = failed[name]
            findings.append(Finding("CONVERSION", name, model=own, other=sources, note=why))
        elif partners := [other for other in model.ties.get(name, ()) if other in makers]:
            tied[name] = partners[0]
            findings.append(Finding("TIED", name, model=own, other=(partners[0],)))
        else:
            findings.append(Finding("MISSING", name, model=own))
    return made, tied, findings


def _unusable(name: str, own: Spec, given: list[Step]) -> Finding:
    if len(given) > 1:
        return Finding("COLLISION", name, model=own, other=tuple(source for step in given for source in step.sources))
    step = given[0]
    found = step.result(name)
    turned = len(own.shape) == 2 and found.shape == own.shape[::-1]
    other = () if step.is_rename else step.sources
    return Finding("MISMATCH", name, found, own, other=other, note="transposed?" if turned else "")


def _left_over(
    checkpoint: Mapping[str, Spec], model: ModelTensors, placed: list[Step], planned: Plan, *, strict_names: bool
) -> Iterator[Finding]:
    """Checkpoint tensors that end nowhere: under a name that the model lacks, or that no rule takes."""
    for step in placed:
        lost = [name for name in step.targets if name not in model.tensors]
        if not lost:
            continue
        unused = strict_names and step.is_rename and step.sources[0] in planned.unmatched
        for name in step.sources if step.is_rename else lost:
            source = step.sources[0] if len(step.sources) == 1 else None
            holds = checkpoint[source] if source else None
            note = f"from {listing(step.sources)}" if not step.is_rename else _new_name(step)
            yield Finding("UNUSED" if unused else "UNEXPECTED", name, checkpoint=holds, note="" if unused else note)
    for problem in planned.problems:
        if not any(name in model.tensors for name in problem.targets):
            for name in problem.sources:
                yield Finding("CONVERSION", name, checkpoint=checkpoint[name], note=problem.message)


def _new_name(step: Step) -> str:
    return "" if step.targets == step.sources else f"the rules name it {show(step.targets[0])}"


def _prefix_remark(model: ModelTensors, planned: Plan, placed: list[Step]) -> Iterable[Remark]:
    pairs = [
        pair
        for before, after in zip(planned.steps, placed, strict=True)
        if before is not after
        for pair in zip(before.targets, after.targets, strict=True)
    ]
    for verb, longer in (("adding", 1), ("removing", 0)):
        count = sum(pair[longer] == model.prefix + pair[1 - longer] for pair in pairs)
        if count:
            yield Remark(
                "base-model-prefix",
                f"{count:,} of the names match after {verb} {show(model.prefix)}, as from_pretrained does",
            )


def _dropped(planned: Plan) -> Iterator[Remark]:
    reasons: dict[str, list[str]] = {}
    for name, reason in planned.dropped.items():
        reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        why = "" if reason == "left out by the rules" else f" ({show(reason, 200)})"
        yield Remark("dropped", f"left out by the rules{why}: {listing(names)}")


def _ties(model: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[str, ...]]:
    shared: dict[int, list[str]] = {}
    for name, tensor in tensors.items():
        shared.setdefault(id(tensor), []).append(name)
    partners: dict[str, list[str]] = {
        name: [other for other in names if other != name] for names in shared.values() for name in names
    }
    for target, source in declared_ties(model).items():
        if target in partners and source in partners:
            partners[target].append(source)
            partners[source].append(target)
    return {name: tuple(dict.fromkeys(others)) for name, others in partners.items() if others}


def declared_ties(model: torch.nn.Module) -> Mapping[str, str]:
    """The ties that a class declares to Transformers: each name that is filled from another, and that other."""
    declared = getattr(model, "all_tied_weights_keys", None)
    if declared is None:
        declared = getattr(model, "_tied_weights_keys", None)
    return declared if isinstance(declared, Mapping) else {}

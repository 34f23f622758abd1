"""Tensors that the port ties are written once, as ``save_pretrained`` does, if they are equal."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from porting.text import show
from porting.weights.conversion.reading import made
from porting.weights.conversion.writing import ALGORITHM
from porting.weights.matching import Matching, ModelTensors, declared_ties
from porting.weights.report import Finding, Spec
from porting.weights.rules.steps import Step
from porting.weights.source import Source


@dataclass(frozen=True)
class Writing:
    """What is to be written.

    Attributes:
        steps: under their targets are the names in the file.
        specs: by the names in the file, in the port's order.
        tied: names that are not written, each with the one that is written for it.
        findings: VALUE for names that are tied in the port and come with different data.
    """

    steps: tuple[Step, ...]
    specs: Mapping[str, Spec]
    tied: Mapping[str, str]
    findings: tuple[Finding, ...]


def each_once(found: Matching, model: ModelTensors, source: Source) -> Writing:
    """Choose one name for each tensor of the port, and compare the data where the rules give several.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        RuleError: an operation cannot be applied.
    """
    kept: dict[str, str] = {}
    tied: dict[str, str] = {}
    findings: list[Finding] = []
    for name, names in _groups(found, model).items():
        first, *others = names
        kept[first] = name
        tied.update((other, name) for other in others)
        if others:
            findings += _different(first, others, found, source)
    specs = {name: _spec(found, given) for given, name in kept.items()}
    order = {name: specs[name] for name in model.tensors if name in specs}
    steps = tuple(_under(step, kept) for step in found.steps)
    return Writing(steps, order, tied, tuple(findings))


def _groups(found: Matching, model: ModelTensors) -> dict[str, list[str]]:
    """The names that the rules make, by the name in the file that each stands for; that name first, if it is made."""
    declared = declared_ties(model.model)
    order = {name: number for number, name in enumerate(model.tensors)}
    groups: dict[str, list[str]] = {}
    for name in found.made:
        keeper = min((name, *model.ties.get(name, ())), key=lambda each: (each in declared, order[each]))
        groups.setdefault(keeper, []).append(name)
    return {keeper: sorted(names, key=lambda each: each != keeper) for keeper, names in groups.items()}


def _different(first: str, others: Sequence[str], found: Matching, source: Source) -> list[Finding]:
    digest = _digest(found.made[first], first, source)
    return [
        Finding(
            "VALUE",
            other,
            _spec(found, other),
            note=f"the port ties it to {show(first)} (see tie_word_embeddings of its config), and their data differs",
        )
        for other in others
        if _spec(found, other) != _spec(found, first) or _digest(found.made[other], other, source) != digest
    ]


def _digest(step: Step, name: str, source: Source) -> bytes:
    digest = hashlib.new(ALGORITHM)
    for _, content in made(step, source, [name]):
        for piece in content:
            digest.update(piece)
    return digest.digest()


def _spec(found: Matching, name: str) -> Spec:
    return found.made[name].result(name)


def _under(step: Step, kept: Mapping[str, str]) -> Step:
    targets = tuple(kept.get(name, name) for name in step.targets)
    return step if targets == step.targets else dataclasses.replace(step, targets=targets)

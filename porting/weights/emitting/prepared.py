"""Rules that convert a checkpoint completely, each with what it does there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from porting.errors import GenerationError
from porting.text import show
from porting.weights.checking import check_weights
from porting.weights.emitting.compacting import compacted
from porting.weights.matching import ModelTensors, match
from porting.weights.report import Spec
from porting.weights.rules.patterns import Pattern
from porting.weights.rules.planning import Rules, plan
from porting.weights.rules.rule import Convert, Drop, Rule
from porting.weights.rules.steps import Plan, Step
from porting.weights.source import Checkpoint, source_of

Bindings = dict[str, str]


@dataclass(frozen=True)
class Applied:
    """One rule and its applications.

    Attributes:
        number: its place among the rules.
        rule: it makes the port's own names.
        steps: what it does, in the order of the checkpoint.
        bindings: for each step, what the fields of the first source stand for.
    """

    number: int
    rule: Convert
    steps: tuple[Step, ...]
    bindings: tuple[Bindings, ...]

    @property
    def is_rename(self) -> bool:
        """Whether it changes names only."""
        return not self.rule.operations

    @property
    def is_idle(self) -> bool:
        """Whether it leaves names and tensors as they are."""
        return self.is_rename and all(step.sources == step.targets for step in self.steps)

    @property
    def names(self) -> list[str]:
        """The names that it takes."""
        return [name for step in self.steps for name in step.sources]

    def takes(self, name: str) -> bool:
        """Whether its patterns match a name."""
        return any(source.match(name) is not None for source in self.rule.sources)


@dataclass(frozen=True)
class Dropped:
    """One rule that leaves tensors out.

    Attributes:
        number: its place among the rules.
        rule: the rule.
        names: what it leaves out.
    """

    number: int
    rule: Drop
    names: list[str]

    def takes(self, name: str) -> bool:
        """Whether its pattern matches a name."""
        return self.rule.source.match(name) is not None


@dataclass(frozen=True)
class Prepared:
    """What both forms are written from.

    Attributes:
        model: the port, live or on the meta device.
        tensors: its names and tensors.
        applied: the rules that make tensors, in order; only those that take something.
        dropped: the rules that leave tensors out, in order.
        plan: all steps.
        specs: what the checkpoint holds, by name.
    """

    model: torch.nn.Module
    tensors: ModelTensors
    applied: tuple[Applied, ...]
    dropped: tuple[Dropped, ...]
    plan: Plan
    specs: Mapping[str, Spec]

    @property
    def config(self) -> Any:
        """The port's."""
        return getattr(self.model, "config", None)


def prepare(
    checkpoint: Checkpoint, model: torch.nn.Module, rules: Rules | None, *, allow_pickle_code: str | None = None
) -> Prepared:
    """Check that the rules make the port of the checkpoint, and find what each of them does.

    Raises:
        MismatchError: they do not: tensors are left over, missing, or of another shape.
        GenerationError: they hold something that cannot be written as code.
        CheckpointError: the checkpoint cannot be read.
        RuleError: the rules are not usable.
    """
    source = source_of(checkpoint, allow_pickle_code=allow_pickle_code)
    check_weights(source, model, rules, strict=True).assert_ok()
    specs = source.specs
    tensors = ModelTensors.of(model)
    config = getattr(model, "config", None)
    found = match(specs, tensors, rules)
    if rules is None or not isinstance(rules, Sequence):
        own: tuple[Rule, ...] = _by_name(found.steps, found.dropped.items())
    else:
        own = _usable(rules)
    first = plan(own, specs, config=config, model=model)
    places = {step.sources: step.targets for step in found.steps}
    own = tuple(_placed(rule, first.steps, places, tensors.prefix) for rule in own)
    final = plan(own, specs, config=config, model=model)
    applied = [_applied(number, rule, final.steps) for number, rule in enumerate(own) if isinstance(rule, Convert)]
    dropped = [
        _dropped(number, rule, own[:number], final) for number, rule in enumerate(own) if isinstance(rule, Drop)
    ]
    return Prepared(
        model,
        tensors,
        tuple(each for each in applied if each.steps),
        tuple(each for each in dropped if each.names),
        final,
        specs,
    )


def _by_name(steps: Iterable[Step], dropped: Iterable[tuple[str, str]]) -> tuple[Rule, ...]:
    """The rules of a mapping or a function of names."""
    steps = list(steps)
    if any(not step.is_rename for step in steps):
        raise GenerationError(
            "Transformers' own transforms of this class load the checkpoint already; no rule is there to be written",
            hint="give the portfile rules() with Rename, Convert and Drop to write something else",
        )
    drops = [Drop(Pattern.literal(name), reason) for name, reason in dropped]
    return (*drops, *compacted((step.sources[0], step.targets[0]) for step in steps))


def _usable(rules: Sequence[Any]) -> tuple[Rule, ...]:
    for rule in rules:
        if not isinstance(rule, (Convert, Drop)):
            raise GenerationError(
                f"the rules hold {show(repr(rule), 80)}, and only Rename, Convert and Drop are written as code",
                hint="write it as Convert(sources, targets, operations) of porting.weights",
            )
    return tuple(rules)


def _placed(rule: Rule, steps: Iterable[Step], places: dict[tuple[str, ...], tuple[str, ...]], prefix: str) -> Rule:
    """The rule with the base model's prefix added or removed, where ``from_pretrained`` would do it."""
    if isinstance(rule, Drop):
        return rule
    pairs = {
        pair
        for step in steps
        if step.rule is rule
        for pair in zip(step.targets, places.get(step.sources, step.targets), strict=True)
    }
    if all(made == wanted for made, wanted in pairs):
        return rule
    if all(wanted == prefix + made for made, wanted in pairs):
        targets = [Pattern.of(prefix + str(target)) for target in rule.targets]
    elif all(str(target).startswith(prefix) for target in rule.targets):
        targets = [Pattern.of(str(target).removeprefix(prefix)) for target in rule.targets]
    else:
        raise GenerationError(f"the rule {rule} names some of its targets with {show(prefix)} and some without it")
    return Convert(rule.sources, targets, *rule.operations)


def _applied(number: int, rule: Convert, steps: Iterable[Step]) -> Applied:
    own = tuple(step for step in steps if step.rule is rule)
    return Applied(number, rule, own, tuple(rule.sources[0].match(step.sources[0]) or {} for step in own))


def _dropped(number: int, rule: Drop, earlier: Sequence[Rule], found: Plan) -> Dropped:
    """What a rule leaves out, of what no earlier one does."""
    before = [each.source for each in earlier if isinstance(each, Drop)]
    names = [
        name
        for name in found.dropped
        if rule.source.match(name) is not None and all(source.match(name) is None for source in before)
    ]
    return Dropped(number, rule, names)

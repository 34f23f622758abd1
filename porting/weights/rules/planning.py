"""What the rules make of a checkpoint's names: one step for each tensor or group, before any data is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from porting.errors import RuleError
from porting.folding import fold
from porting.text import show
from porting.weights.report import Remark, Spec
from porting.weights.rules.gathering import Gatherer, Match
from porting.weights.rules.operation import Groups, Operation
from porting.weights.rules.rule import Convert, Drop, Rule

NameRules = Callable[[str], str | None] | Mapping[str, str | None]
Rules = NameRules | Sequence[Any]
"""Rules in a list, Transformers' own transforms among them; or a mapping or a function from checkpoint name to the
port's, None for one left out on purpose. A name that a mapping or a list does not know is kept."""

Read = Callable[[str], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Step:
    """One application of a rule.

    Attributes:
        sources: checkpoint names, in the order in which the operations take the tensors.
        targets: names of the port.
        results: what each target is.
        rule: the rule; None for a name that no rule knows, or that a mapping or function gave.
        operations: the rule's, with the config's numbers.
        lengths: how many of the sources belong to each source pattern.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    results: tuple[Spec, ...]
    rule: Convert | None = None
    operations: tuple[Operation, ...] = ()
    lengths: tuple[int, ...] = (1,)

    @property
    def is_rename(self) -> bool:
        """Whether one tensor becomes one other without a change."""
        return not self.operations

    @property
    def is_exact(self) -> bool:
        """Whether elements are moved only, never computed."""
        return all(operation.exact for operation in self.operations)

    def run(self, read: Read) -> dict[str, torch.Tensor]:
        """The targets' tensors; they may share memory with each other and with what ``read`` gives.

        Raises:
            RuleError: an operation cannot be applied.
        """
        if self.is_rename:
            return {self.targets[0]: read(self.sources[0])}
        results = applied(self.operations, grouped([read(name) for name in self.sources], self.lengths))
        return dict(zip(self.targets, (tensor for group in results for tensor in group), strict=True))


class Problem(NamedTuple):
    """Why a rule could not be applied to some tensors: their names, the targets that it would make, and why."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class Plan:
    """All steps of a conversion.

    Attributes:
        steps: in the order of the checkpoint.
        dropped: checkpoint name to the reason for which it is left out.
        unmatched: names that no rule of a list takes; they are kept as they are, in a step each.
        problems: what could not be planned.
        remarks: on the rules as a whole.
    """

    steps: tuple[Step, ...]
    dropped: Mapping[str, str] = field(default_factory=dict)
    unmatched: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()
    remarks: tuple[Remark, ...] = ()


def plan(rules: Rules | None, specs: Mapping[str, Spec], *, config: Any = None, model: Any = None) -> Plan:
    """Apply the rules to the names, dtypes and shapes of a checkpoint.

    Args:
        rules: see `Rules`; None keeps every name.
        specs: what the checkpoint holds, by name.
        config: the port's, for numbers that operations take from it.
        model: the port, for Transformers' own transforms.

    Raises:
        RuleError: the rules are not usable at all.
    """
    if rules is None:
        return Plan(tuple(_kept(name, spec) for name, spec in specs.items()))
    if isinstance(rules, Mapping) or callable(rules):
        return _by_name(rules, specs)
    if not isinstance(rules, Iterable) or isinstance(rules, str):
        raise RuleError(f"rules are a list, and {show(repr(rules), 80)} was given", hint="put it in brackets")
    own = [rule for rule in rules if isinstance(rule, (Convert, Drop))]
    foreign = [rule for rule in rules if not isinstance(rule, (Convert, Drop))]
    planned = _by_rule(own, specs, config)
    return _with_transforms(planned, foreign, specs, model) if foreign else planned


def applied(operations: Iterable[Operation], groups: Groups) -> Groups:
    """What is left after all operations.

    Raises:
        RuleError: one of them does not fit the tensors.
    """
    for operation in operations:
        try:
            groups = operation.apply(groups)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            shapes = ", ".join(str(list(tensor.shape)) for group in groups for tensor in group)
            raise RuleError(f"{operation!r} cannot be applied to {show(shapes, 100)}: {show(error, 200)}") from error
    return groups


def grouped(tensors: Sequence[torch.Tensor], lengths: Sequence[int]) -> Groups:
    """Tensors one after the other as groups of these lengths."""
    rest = iter(tensors)
    return [[next(rest) for _ in range(length)] for length in lengths]


def _kept(name: str, spec: Spec) -> Step:
    return Step((name,), (name,), (spec,))


def _by_name(rules: NameRules, specs: Mapping[str, Spec]) -> Plan:
    steps, dropped = [], {}
    for name, spec in specs.items():
        wanted = _renamed(rules, name)
        if wanted is None:
            dropped[name] = "left out by the rules"
        else:
            steps.append(Step((name,), (wanted,), (spec,)))
    idle = [name for name in rules if name not in specs] if isinstance(rules, Mapping) else []
    remarks = [Remark("unused-rule", f"rules for names that the checkpoint lacks: {listing(idle)}")] if idle else []
    return Plan(tuple(steps), dropped, remarks=tuple(remarks))


def _renamed(rules: NameRules, name: str) -> str | None:
    try:
        wanted = rules.get(name, name) if isinstance(rules, Mapping) else rules(name)
    except Exception as error:
        raise RuleError(f"the rules raised {type(error).__name__} for {show(name)}: {show(error)}") from error
    if wanted is not None and not isinstance(wanted, str):
        raise RuleError(f"the rules must give a name or None, and gave {show(repr(wanted))} for {show(name)}")
    return wanted


def _by_rule(rules: Sequence[Rule], specs: Mapping[str, Spec], config: Any) -> Plan:
    dropped: dict[str, str] = {}
    matches: dict[object, Match | str] = {}
    used: set[int] = set()
    gatherer = Gatherer(rules)
    for name in specs:
        number, place, bindings = gatherer.first(name)
        rule = rules[number] if number >= 0 else None
        used.add(number)
        if rule is None:
            matches[name] = name
        elif isinstance(rule, Drop):
            dropped[name] = rule.reason
        else:
            key = (number, *(bindings[field] for field in rule.key))
            match = matches.setdefault(key, Match.of(rule, bindings))
            assert isinstance(match, Match)
            match.add(place, bindings, name)
    steps, problems = _steps(matches.values(), specs, config)
    idle = [str(rule) for number, rule in enumerate(rules) if number not in used]
    remarks = tuple(Remark("unused-rule", f"a rule that takes no tensor of this checkpoint: {text}") for text in idle)
    unmatched = frozenset(match for match in matches.values() if isinstance(match, str))
    return Plan(steps, dropped, unmatched, problems, remarks)


def _steps(
    matches: Iterable[Match | str], specs: Mapping[str, Spec], config: Any
) -> tuple[tuple[Step, ...], tuple[Problem, ...]]:
    steps, problems = [], []
    shapes = Shapes(config)
    for match in matches:
        if isinstance(match, str):
            steps.append(_kept(match, specs[match]))
            continue
        try:
            steps.append(_step(match, specs, shapes))
        except RuleError as error:
            problems.append(Problem(match.names, match.expected(), f"{error.message} (rule: {match.rule})"))
    return tuple(steps), tuple(problems)


def _step(match: Match, specs: Mapping[str, Spec], shapes: Shapes) -> Step:
    groups = match.groups()
    sources = tuple(name for group in groups for name in group)
    lengths = tuple(len(group) for group in groups)
    operations, results = shapes.after(match.rule, tuple(specs[name] for name in sources), lengths)
    flat = tuple(spec for group in results for spec in group)
    return Step(sources, match.targets(results), flat, match.rule, operations, lengths)


class Shapes:
    """What operations make of dtypes and shapes; equal questions, as those of equal layers, are answered once."""

    def __init__(self, config: Any) -> None:
        self._config = config
        self._resolved: dict[int, tuple[Operation, ...]] = {}
        self._known: dict[object, list[list[Spec]]] = {}

    def after(
        self, rule: Convert, specs: tuple[Spec, ...], lengths: tuple[int, ...]
    ) -> tuple[tuple[Operation, ...], list[list[Spec]]]:
        """The rule's operations with the config's numbers, and what they give for such tensors.

        Raises:
            RuleError: they cannot be applied.
        """
        if not rule.operations:
            return (), [[specs[0]]]
        if id(rule) not in self._resolved:
            self._resolved[id(rule)] = tuple(operation.resolved(self._config) for operation in rule.operations)
        operations = self._resolved[id(rule)]
        key = (id(rule), specs, lengths)
        if key not in self._known:
            results = applied(operations, grouped([empty(spec) for spec in specs], lengths))
            self._known[key] = [[spec_of(tensor) for tensor in group] for group in results]
        return operations, self._known[key]


def empty(spec: Spec) -> torch.Tensor:
    """A tensor of this dtype and shape, without data.

    Raises:
        RuleError: torch has no such dtype.
    """
    dtype = getattr(torch, spec.dtype, None)
    if not isinstance(dtype, torch.dtype):
        raise RuleError(f"torch has no dtype {show(spec.dtype)}: such a tensor can be renamed only")
    return torch.empty(spec.shape, dtype=dtype, device="meta")


def spec_of(tensor: torch.Tensor) -> Spec:
    """Its dtype and shape."""
    return Spec(str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))


def _with_transforms(planned: Plan, foreign: Sequence[Any], specs: Mapping[str, Spec], model: Any) -> Plan:
    """Give what no rule took to Transformers' transforms."""
    from porting.weights.rules.transforms import transformed

    rest = {name: specs[name] for name in specs if name in planned.unmatched}
    other = transformed(foreign, rest, model)
    taken = (step for step in planned.steps if step.rule is not None)
    return Plan(
        (*taken, *other.steps),
        planned.dropped,
        other.unmatched,
        (*planned.problems, *other.problems),
        (*planned.remarks, *other.remarks),
    )


def listing(names: Iterable[str]) -> str:
    """Names in a sentence, folded."""
    return ", ".join(show(row.name) for row in fold([str(name) for name in names]))

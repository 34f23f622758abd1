"""What the rules make of a checkpoint's names: one step for each tensor or group, before any data is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from porting.errors import RuleError
from porting.text import show
from porting.weights.report import Remark, Spec
from porting.weights.rules.gathering import Gatherer, Match
from porting.weights.rules.operation import Operation
from porting.weights.rules.rule import Convert, Drop, Rule
from porting.weights.rules.steps import Plan, Problem, Step, applied, empty, grouped, listing
from porting.weights.rules.transforms import transformed

NameRules = Callable[[str], str | None] | Mapping[str, str | None]
Rules = NameRules | Sequence[Any]
"""Rules in a list, Transformers' own transforms among them; or a mapping or a function from checkpoint name to the
port's, None for one left out on purpose. A name that a mapping or a list does not know is kept."""


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
    unmatched: set[str] = set()
    found: dict[object, Step | Problem | Match] = {}
    used: set[int] = set()
    gatherer = Gatherer(rules)
    for name, spec in specs.items():
        number, place, bindings = gatherer.first(name)
        rule = rules[number] if number >= 0 else None
        used.add(number)
        if rule is None:
            unmatched.add(name)
            found[name] = _kept(name, spec)
        elif isinstance(rule, Drop):
            dropped[name] = rule.reason
        elif not rule.operations:
            found[name] = _rename(rule, bindings, name, spec)
        else:
            key = (number, *map(bindings.get, rule.key))
            match = found.get(key)
            if not isinstance(match, Match):
                match = found[key] = Match.of(rule, bindings)
            match.add(place, bindings, name)
    steps, problems = _steps(found.values(), specs, config)
    idle = [str(rule) for number, rule in enumerate(rules) if number not in used]
    remarks = tuple(Remark("unused-rule", f"a rule that takes no tensor of this checkpoint: {text}") for text in idle)
    return Plan(steps, dropped, frozenset(unmatched), problems, remarks)


def _rename(rule: Convert, bindings: Mapping[str, str], name: str, spec: Spec) -> Step | Problem:
    try:
        return Step((name,), (rule.targets[0].fill(bindings),), (spec,), rule)
    except RuleError as error:
        return Problem((name,), (), error.message, error.hint)


def _steps(
    found: Iterable[Step | Problem | Match], specs: Mapping[str, Spec], config: Any
) -> tuple[tuple[Step, ...], tuple[Problem, ...]]:
    steps, problems = [], []
    shapes = Shapes(config)
    for each in found:
        planned = _planned(each, specs, shapes) if isinstance(each, Match) else each
        if isinstance(planned, Step):
            steps.append(planned)
        else:
            problems.append(planned)
    return tuple(steps), tuple(problems)


def _planned(match: Match, specs: Mapping[str, Spec], shapes: Shapes) -> Step | Problem:
    try:
        return _step(match, specs, shapes)
    except RuleError as error:
        return Problem(match.names, match.expected(), error.message, error.hint)


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
        if id(rule) not in self._resolved:
            self._resolved[id(rule)] = tuple(operation.resolved(self._config) for operation in rule.operations)
        operations = self._resolved[id(rule)]
        key = (id(rule), specs, lengths)
        if key not in self._known:
            results = applied(operations, grouped([empty(spec) for spec in specs], lengths))
            self._known[key] = [[Spec.of(tensor) for tensor in group] for group in results]
        return operations, self._known[key]


def _with_transforms(planned: Plan, foreign: Sequence[Any], specs: Mapping[str, Spec], model: Any) -> Plan:
    """Give what no rule took to Transformers' transforms."""
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

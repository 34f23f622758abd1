"""Transformers' own weight transforms as rules: planned as its loading code applies them, its traps named."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from porting.errors import RuleError
from porting.pretrained import is_pretrained
from porting.text import show
from porting.weights.report import Remark, Spec
from porting.weights.rules.operation import Groups, Operation
from porting.weights.rules.steps import Plan, Problem, Step, applied, empty, grouped, listing


@dataclass(frozen=True, repr=False)
class Transformed(Operation):
    """What one ``WeightConverter`` does for one layer.

    Attributes:
        converter: the converter, which keeps no tensor between runs.
        patterns: its source patterns, one for each group of tensors.
        layer: the first target's full name.
        model: the port, whose config and shapes its operations may ask for.
        targets: full names of the targets, filled by `apply`.
    """

    converter: Any
    patterns: tuple[str, ...]
    layer: str
    model: Any
    targets: list[str] = field(default_factory=list, compare=False)

    def apply(self, groups: Groups) -> Groups:
        """Convert, as ``from_pretrained`` does."""
        converter = copy.deepcopy(self.converter)
        for pattern, group in zip(self.patterns, groups, strict=True):
            converter.collected_tensors[pattern] = list(group)
        results = converter.convert(self.layer, model=self.model, config=getattr(self.model, "config", None))
        self.targets[:] = results
        return [[tensor[0] if isinstance(tensor, list) else tensor] for tensor in results.values()]

    def resolved(self, config: Any) -> Transformed:
        """Itself: its operations ask the model."""
        return self

    def __repr__(self) -> str:
        """As Transformers writes it."""
        return show(repr(self.converter), 300)

    def __str__(self) -> str:
        """The names of its operations."""
        return ", ".join(type(operation).__name__ for operation in self.converter.operations)


def own_transforms(model: Any) -> list[Any]:
    """The transforms with which ``from_pretrained`` loads checkpoints of a model's class; none for other modules."""
    if not is_pretrained(model):
        return []
    from transformers.conversion_mapping import get_model_conversion_mapping

    return list(get_model_conversion_mapping(model))


def transformed(transforms: Sequence[Any], specs: Mapping[str, Spec], model: Any) -> Plan:
    """Plan ``WeightRenaming`` and ``WeightConverter`` objects as Transformers applies them: every renaming, then one
    converter, then the prefix of the base model.

    Raises:
        RuleError: an entry is no such object, or there is no model to ask.
    """
    from transformers.core_model_loading import WeightTransform

    for each in transforms:
        if not isinstance(each, WeightTransform):
            what = "rules hold Rename, Convert, Drop, or Transformers' own transforms"
            raise RuleError(f"{what}, and {show(repr(each), 80)} is none of them")
    if model is None:
        raise RuleError(
            "Transformers' transforms need the ported model", hint="give the portfile config() or ported()"
        )
    rename = _Renamer(copy.deepcopy(list(transforms)), model)
    steps: list[Step] = []
    groups: dict[str, _Group] = {}
    for name in _in_their_order(specs):
        wanted, pattern = rename(name)
        if pattern is None:
            steps.append(Step((name,), (wanted,), (specs[name],)))
        else:
            groups.setdefault(wanted, _Group(rename.converter(pattern), wanted, {})).add(pattern, name)
    unmatched = frozenset(step.sources[0] for step in steps if step.sources == step.targets and not rename.knows(step))
    problems = []
    for group in groups.values():
        try:
            steps.append(_converted(group, specs, model))
        except RuleError as error:
            problems.append(Problem(group.names, (group.layer,), error.message, error.hint))
    converters = {id(group.converter): group.converter for group in groups.values()}
    remarks = [remark for converter in converters.values() for remark in _traps(converter, model)]
    return Plan(tuple(steps), {}, unmatched, tuple(problems), tuple(remarks))


def _in_their_order(names: Iterable[str]) -> list[str]:
    """As Transformers sorts them, which tells the order of experts."""
    from transformers.core_model_loading import dot_natural_key

    try:
        return sorted(names, key=dot_natural_key)
    except (ValueError, TypeError) as error:
        raise RuleError(f"Transformers cannot sort the names of this checkpoint: {show(error)}") from error


class _Group(NamedTuple):
    """The tensors that one converter takes for one layer: by source pattern, in the order of their names."""

    converter: Any
    layer: str
    found: dict[str, list[str]]

    def add(self, pattern: str, name: str) -> None:
        self.found.setdefault(pattern, []).append(name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for names in self.found.values() for name in names)


class _Renamer:
    """The names that Transformers gives, and the source pattern of the converter that takes each."""

    def __init__(self, transforms: Sequence[Any], model: Any) -> None:
        from transformers.core_model_loading import WeightConverter, WeightRenaming, rename_source_key

        self._rename = rename_source_key
        self._transforms = [
            [each for each in transforms if isinstance(each, kind)] for kind in (WeightRenaming, WeightConverter)
        ]
        self._prefix = {
            "base_model_prefix": getattr(model, "base_model_prefix", None),
            "meta_state_dict": model.state_dict(),
        }

    def __call__(self, name: str) -> tuple[str, str | None]:
        """The name, without the base model's prefix where none is converted: matching adds or removes it, too."""
        renamed, pattern = self._rename(name, *self._transforms, **self._prefix)
        known = self._prefix["meta_state_dict"]
        if renamed not in known and name in known:
            return name, None
        return (renamed, pattern) if pattern else self._rename(name, *self._transforms)

    def converter(self, pattern: str) -> Any:
        """The converter that has a source pattern: the last one, where several have the same."""
        return next(each for each in reversed(self._transforms[1]) if pattern in each.source_patterns)

    def knows(self, step: Step) -> bool:
        """Whether the model has such a tensor, with or without the base model's prefix."""
        return self._rename(step.targets[0], [], [], **self._prefix)[0] in self._prefix["meta_state_dict"]


def _converted(group: _Group, specs: Mapping[str, Spec], model: Any) -> Step:
    if "*" in group.layer:
        raise RuleError(
            f"{group.converter} is asked to take {listing(group.names)} apart, which "
            "Transformers does when it saves, not when it loads",
            hint="Convert(…, Unstack()) does",
        )
    operation = Transformed(group.converter, tuple(group.found), group.layer, model)
    sources = group.names
    lengths = tuple(map(len, group.found.values()))
    results = applied([operation], grouped([empty(specs[name]) for name in sources], lengths))
    flat = tuple(Spec.of(tensor) for tensors in results for tensor in tensors)
    if any(length > 1 for length in lengths) and _elements(flat) < _elements([specs[name] for name in sources]):
        raise RuleError(
            f"{group.converter} takes {listing(sources)} for {show(group.layer)}, and loses all but the first of them",
            hint="its source patterns are searched for, not matched in full: write more of the name",
        )
    return Step(sources, tuple(operation.targets), flat, None, (operation,), lengths)


def _elements(specs: Iterable[Spec]) -> int:
    return sum(math.prod(spec.shape) for spec in specs)


def _traps(converter: Any, model: Any) -> Iterator[Remark]:
    """What Transformers' operations get wrong in silence."""
    config = getattr(model, "config", None)
    queries, keys = (getattr(config, f"num_{kind}_heads", None) for kind in ("attention", "key_value"))
    for operation in converter.operations:
        if type(operation).__name__ == "PermuteForRope" and keys not in (None, queries):
            yield Remark(
                "rope-heads",
                f"PermuteForRope counts {queries} heads for every tensor, and keys have {keys}: use "
                "porting.weights.PermuteRope with their own number",
            )

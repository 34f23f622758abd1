"""Proof of an emitted mapping: Transformers' own code is run with it on names and shapes, there, back and again."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from porting.errors import RuleError
from porting.text import show
from porting.weights.emitting.prepared import Prepared
from porting.weights.report import Spec
from porting.weights.rules.steps import Step, empty
from porting.weights.rules.transforms import transformed
from porting.weights.source import spec


class Fault(NamedTuple):
    """What a mapping does wrong: the name it is about, and in words."""

    name: str
    message: str


@contextlib.contextmanager
def registered(key: str, mapping: list[Any]) -> Iterator[None]:
    """Let Transformers know a mapping for a while, in front of what it knows already."""
    from transformers import conversion_mapping as registry

    before = registry.get_checkpoint_conversion_mapping(key) or []
    known, users = dict(registry._checkpoint_conversion_mapping_cache or {}), set(registry.USER_REGISTERED_MAPPINGS)
    registry.register_checkpoint_conversion_mapping(key, [*mapping, *before], overwrite=True)
    try:
        yield
    finally:
        registry._checkpoint_conversion_mapping_cache = known
        registry.USER_REGISTERED_MAPPINGS.clear()
        registry.USER_REGISTERED_MAPPINGS.update(users)


def transforms_with(key: str, mapping: list[Any], model: Any) -> list[Any]:
    """All transforms with which ``from_pretrained`` would load the model."""
    from transformers.conversion_mapping import get_model_conversion_mapping

    with registered(key, mapping):
        return list(get_model_conversion_mapping(model))


def faults(prepared: Prepared, transforms: list[Any], reversible: set[int]) -> Iterator[Fault]:
    """What is wrong with the transforms: the original's checkpoint, a saved port's, and what is saved.

    Args:
        prepared: what they are to do.
        transforms: as ``from_pretrained`` takes them.
        reversible: the rules, by number, whose tensors are saved as the original's.
    """
    try:
        yield from _loading(prepared, transforms)
        yield from _loading_again(prepared, transforms)
        yield from _saving(prepared, transforms, reversible)
    except RuleError as error:
        yield Fault("", error.message)
    except Exception as error:
        yield Fault("", f"{type(error).__name__}: {show(error, 200)}")


def dropped_names(prepared: Prepared, transforms: list[Any]) -> dict[str, str]:
    """The names under which Transformers finds what the rules leave out."""
    names = [name for each in prepared.dropped for name in each.names]
    found = transformed(transforms, {name: prepared.specs[name] for name in names}, prepared.model)
    return {step.sources[0]: step.targets[0] for step in found.steps}


def _loading(prepared: Prepared, transforms: list[Any]) -> Iterator[Fault]:
    for name, target in dropped_names(prepared, transforms).items():
        if target in prepared.tensors.tensors and target not in prepared.tensors.ties:
            yield Fault(name, f"{show(name)} is left out by the rules, and would be loaded as {show(target)}")
    found = transformed(transforms, prepared.specs, prepared.model)
    for problem in found.problems:
        yield Fault(problem.sources[0], problem.message)
    makers = _makers(found.steps)
    for step in prepared.plan.steps:
        for target, result in zip(step.targets, step.results, strict=True):
            if why := _wrong(makers.get(target, []), step, target, result):
                instead = "" if target in makers else _instead(step, found.steps)
                yield Fault(step.sources[0], f"{show(target)} {why}{instead}")


def _instead(step: Step, steps: Iterable[Step]) -> str:
    """What Transformers makes of a step's first source, as its own renamings come before converters."""
    made = [target for each in steps if step.sources[0] in each.sources for target in each.targets]
    return f", and {show(step.sources[0])} becomes {show(', '.join(made), 200)}" if made else ""


def _makers(steps: Iterable[Step]) -> dict[str, list[Step]]:
    makers: dict[str, list[Step]] = {}
    for step in steps:
        for target in step.targets:
            makers.setdefault(target, []).append(step)
    return makers


def _wrong(made: list[Step], step: Step, target: str, result: Spec) -> str:
    """What is wrong with how a target is made, in words."""
    if len(made) != 1:
        return f"is made {len(made)} times"
    if _by_pattern(made[0].sources, step) != step.sources:
        return f"is made of {show(', '.join(made[0].sources), 200)}"
    shape = made[0].result(target).shape
    return "" if shape == result.shape else f"becomes {list(shape)}, not {list(result.shape)}"


def _by_pattern(names: Sequence[str], step: Step) -> tuple[str, ...]:
    """Names in the order of a step's patterns: so operations take them, in whatever order these are found."""
    rest = iter(step.sources)
    place = {next(rest): number for number, length in enumerate(step.lengths) for _ in range(length)}
    return tuple(sorted(names, key=lambda name: place.get(name, -1)))


def _loading_again(prepared: Prepared, transforms: list[Any]) -> Iterator[Fault]:
    """A checkpoint with the port's own names must be loaded as it is."""
    own = {name: spec(name, tensor) for name, tensor in prepared.tensors.tensors.items()}
    owners = {target: step.sources[0] for step in prepared.plan.steps for target in step.targets}
    for step in transformed(transforms, own, prepared.model).steps:
        if step.sources != step.targets or not step.is_rename:
            name = step.sources[0]
            yield Fault(owners.get(name, name), f"{show(name)} of a saved port would become {show(step.targets[0])}")


def _saving(prepared: Prepared, transforms: list[Any], reversible: set[int]) -> Iterator[Fault]:
    """What ``save_pretrained`` writes by default."""
    saved = _saved(prepared, transforms)
    rules = {id(each.rule): each.number for each in prepared.applied}
    for step in prepared.plan.steps:
        back = step.rule is None or rules[id(step.rule)] in reversible
        names = step.sources if back else step.targets
        for name in names:
            if name not in saved:
                yield Fault(step.sources[0], f"{show(name)} is not saved")
            elif back and saved[name].shape != prepared.specs[name].shape:
                yield Fault(step.sources[0], f"{show(name)} is saved as {list(saved[name].shape)}")


def _saved(prepared: Prepared, transforms: list[Any]) -> Mapping[str, Spec]:
    from transformers.core_model_loading import (
        WeightConverter,
        WeightRenaming,
        rename_source_key,
        revert_weight_conversion,
    )

    transforms = copy.deepcopy(transforms)
    sides = [[each for each in transforms if isinstance(each, kind)] for kind in (WeightRenaming, WeightConverter)]
    for name in prepared.specs:
        rename_source_key(name, *sides)
    model: Any = prepared.model
    before = model.__dict__.get("_weight_conversions")
    made = {
        target: spec for step in prepared.plan.steps for target, spec in zip(step.targets, step.results, strict=True)
    }
    model._weight_conversions = [each for each in transforms if each.was_used()]
    try:
        state: dict[str, torch.Tensor] = revert_weight_conversion(
            model, {name: empty(each) for name, each in made.items()}
        )
    except (RuntimeError, ValueError, KeyError, IndexError, TypeError) as error:
        raise RuleError(f"Transformers cannot save the model: {type(error).__name__}: {show(error, 200)}") from error
    finally:
        if before is None:
            del model._weight_conversions
        else:
            model._weight_conversions = before
    return {name: spec(name, tensor) for name, tensor in state.items()}

"""What a rule must fulfil before it meets a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from porting.errors import RuleError
from porting.text import show
from porting.weights.rules.grouping import Split

if TYPE_CHECKING:
    from porting.weights.rules.rule import Convert


def check(rule: Convert) -> None:
    """Check that every field of a rule has a value when it is needed, and every tensor a place.

    Raises:
        RuleError: what is wrong with it.
    """
    for wrong in CHECKS:
        if why := wrong(rule):
            raise RuleError(f"the rule {rule} is not well formed: {why}")


def _repeated(rule: Convert) -> str | None:
    for side in (rule.sources, rule.targets):
        if len(set(map(str, side))) < len(side):
            return "a pattern is given twice on one side"
    return None


def _lacking(rule: Convert) -> str | None:
    """A field of one source that a target needs, and another source has not."""
    needed = {name for target in rule.targets for name in target.fields}
    for name in sorted(needed & {name for source in rule.sources for name in source.fields}):
        for source in rule.sources:
            if name not in source.fields:
                return f"{show(source)} lacks the field {show(name)}, which another source has"
    return None


def _list_axes(rule: Convert) -> str | None:
    for source in rule.sources:
        extra = [field for name, field in source.fields.items() if name not in rule.key]
        if len(extra) > 1 or any(field.kind != "d" for field in extra):
            names = ", ".join(show(field) for field in extra)
            return f"no target has {names}; one number, as {{expert:d}}, may be gathered"
    return None


def _targets(rule: Convert) -> str | None:
    for target, name in zip(rule.targets, rule.free, strict=True):
        if len(set(target.fields) - set(rule.key)) > 1:
            return f"{show(target)} has more than one field that no source has"
        if missing := [field for field in rule.key if field not in target.fields]:
            return f"{show(target)} lacks the field {show(missing[0])}: it would be written twice"
        if name is not None and not rule.operations:
            return f"no source has the field {show(name)}"
    return None


def _numbers(rule: Convert) -> str | None:
    """How many tensors the operations take and give."""
    number: int | None = len(rule.sources)
    if not rule.operations:
        several = len(rule.sources) > 1 or len(rule.targets) > 1 or any(rule.axes)
        return "several tensors need an operation, as Split() or Concatenate()" if several else None
    for operation in rule.operations:
        if isinstance(operation, Split) and operation.pieces(1) == 1:
            return "a split into one piece; where the pieces are joined again, say Split(count=3)"
        number = operation.pieces(number)
    if number not in (None, len(rule.targets)):
        return f"the operations give {number} tensors for {len(rule.targets)} targets"
    return None


CHECKS: tuple[Callable[[Convert], str | None], ...] = (_repeated, _lacking, _list_axes, _targets, _numbers)

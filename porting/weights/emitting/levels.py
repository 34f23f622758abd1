"""How much one pattern says, where Transformers' code shows that it says too much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from porting.errors import GenerationError
from porting.weights.emitting.prepared import Applied, Prepared
from porting.weights.emitting.proving import Fault
from porting.weights.emitting.renaming import LITERAL, Renaming


def raise_levels(
    prepared: Prepared,
    lines: Mapping[int, Sequence[Renaming]],
    levels: dict[int, int],
    found: Sequence[Fault],
) -> None:
    """Write with less in one pattern: the rules that touch names of others, else those at fault, else all.

    Args:
        prepared: the rules.
        lines: the renamings of each, by number.
        levels: how each is written; changed.
        found: what is wrong with that.

    Raises:
        GenerationError: there is nothing left to try.
    """
    rules = {name: each for each in prepared.applied for name in each.names}
    guilty = [rules[fault.name] for fault in found if fault.name in rules]
    names = {name for fault in found if fault.name in rules for name in _family(rules[fault.name], fault.name)}
    touching = {
        number
        for number, own in _names(prepared).items()
        if any(_touches(line, names - own) for line in lines[number])
    }
    for wanted in (touching, {each.number for each in guilty}, set(levels)):
        higher = {number for number in wanted if levels[number] < LITERAL}
        if higher:
            levels.update({number: levels[number] + 1 for number in higher})
            return
    fault = found[0]
    rule = f"the rule {rules[fault.name].rule}" if fault.name in rules else "the list of rules"
    raise GenerationError(
        f"{rule} cannot be expressed as Transformers' transforms: {fault.message}",
        hint="write the script instead: porting convert --emit script",
    )


def _family(each: Applied, name: str) -> tuple[str, ...]:
    """The names of one application of a rule, on both sides."""
    step = next(step for step in each.steps if name in step.sources)
    return (*step.sources, *step.targets)


def _names(prepared: Prepared) -> dict[int, set[str]]:
    """The names of each rule, on both sides."""
    return {
        each.number: {name for step in each.steps for name in (*step.sources, *step.targets)}
        for each in prepared.applied
    }


def _touches(line: Renaming, names: set[str]) -> bool:
    from transformers.core_model_loading import WeightRenaming

    there = WeightRenaming(line.source, line.target)
    patterns = [each.compiled_sources for each in (there, there.reverse_transform())]
    return any(pattern.search(name) for pattern in patterns for name in names)

"""Emit the list of ``WeightRenaming`` and ``WeightConverter`` with which ``from_pretrained`` loads the original."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from porting.errors import GenerationError
from porting.pretrained import is_pretrained
from porting.stubs.rendering import render
from porting.stubs.written import Call
from porting.text import show
from porting.weights.emitting.accepting import FreePatterns
from porting.weights.emitting.levels import raise_levels
from porting.weights.emitting.operations import functions_of, helpers_of, sizes_of, step_of
from porting.weights.emitting.prepared import Prepared
from porting.weights.emitting.proving import dropped_names, faults, transforms_with
from porting.weights.emitting.regexes import bare_regex, escaped
from porting.weights.emitting.renaming import GENERAL, Renaming, renamings
from porting.weights.emitting.reversing import two_ways
from porting.weights.emitting.staging import Converter, staged
from porting.weights.emitting.transforms import Transform, rope_is_own, transform_of

TEMPLATE = "conversion_mapping.py.jinja"


@dataclass(frozen=True)
class Entry:
    """One element of the list.

    Attributes:
        call: what makes it.
        reason: why it is none of Transformers' own operations.
    """

    call: Call
    reason: str = ""


@dataclass(frozen=True)
class ConversionMapping:
    """A proven mapping.

    Attributes:
        text: the file.
        key: the model type or class name that it belongs to.
        ignored: patterns for ``_keys_to_ignore_on_load_unexpected``.
        one_way: numbers of the rules that nothing undoes.
    """

    text: str
    key: str
    ignored: tuple[str, ...]
    one_way: tuple[int, ...]


def mapping_of(prepared: Prepared, name: str) -> ConversionMapping:
    """Write the rules as transforms, the general way first and name by name where that touches other names.

    Raises:
        GenerationError: a rule cannot be expressed; it is named.
    """
    _require_other_names(prepared)
    levels = {each.number: GENERAL for each in prepared.applied}
    while True:
        draft = _Draft(prepared, levels, name)
        found = list(faults(prepared, draft.transforms(), draft.reversible))
        if not found:
            return draft.mapping()
        raise_levels(prepared, draft.lines, levels, found)


class _Draft:
    """One attempt."""

    def __init__(self, prepared: Prepared, levels: dict[int, int], name: str) -> None:
        self._prepared, self._levels, self._name = prepared, levels, name
        self._config = prepared.config
        self._ways = {each.number: two_ways(each, prepared.specs, self._config) for each in prepared.applied}
        self.reversible = {number for number, ways in self._ways.items() if ways.back is not None}
        self.key = _key(prepared)
        self.entries, self.used = self._entries()
        self.ignored: tuple[str, ...] = ()
        self.text = self._text()

    def transforms(self) -> list[Any]:
        """Those that ``from_pretrained`` would use."""
        space: dict[str, Any] = {"__name__": "conversion_mapping"}
        exec(compile(self.text, "conversion_mapping", "exec"), space)  # noqa: S102 - rendered from literals and names
        return transforms_with(self.key, space["CONVERSION_MAPPING"], self._prepared.model)

    def mapping(self) -> ConversionMapping:
        """The result, with what is to be ignored."""
        self.ignored = self._ignored()
        one_way = tuple(sorted(set(self._ways) - self.reversible))
        return ConversionMapping(self._text(), self.key, self.ignored, one_way)

    def _entries(self) -> tuple[list[Entry], list[Transform]]:
        self.lines: dict[int, tuple[Renaming, ...]] = {}
        converters: dict[tuple[Converter, str], Entry] = {}
        used = []
        own_rope = rope_is_own([(each, self._ways[each.number]) for each in self._prepared.applied], self._config)
        free = FreePatterns(self._prepared)
        parameters = {name for name, _ in self._prepared.model.named_parameters(remove_duplicate=False)}
        for each in self._prepared.applied:
            level, ways = self._levels[each.number], self._ways[each.number]
            if not ways.there:
                (source,), (target,) = each.rule.sources, each.rule.targets
                found = [source.match(name) or {} for name in each.names]
                self.lines[each.number] = tuple(renamings(source, target, found, level))
                continue
            transform = transform_of(each, ways, self._config, own_rope=own_rope, parameters=parameters)
            parts = staged(each, level, free.of(repr(transform.operations)))
            self.lines[each.number] = parts.renamings
            used.append(transform)
            for converter in parts.converters:
                entry = _converter(converter, transform, one_way=ways.back is None)
                converters.setdefault((converter, repr(entry.call)), entry)
        lines = dict.fromkeys(line for group in self.lines.values() for line in group)
        first = [Entry(Call("WeightRenaming", (line.source, line.target))) for line in lines]
        return [*first, *converters.values()], used

    def _text(self) -> str:
        steps = [step_of(operation) for transform in self.used for operation in transform.steps]
        operations = [operation for transform in self.used for operation in transform.steps]
        calls = {call.name for entry in self.entries for call in _calls(entry.call)}
        own = {"TensorSteps", "OneWayConverter"}
        needed = calls - own
        needed |= {"ConversionOps"} if "TensorSteps" in calls else set()
        needed |= {"WeightConverter", "WeightRenaming"} if "OneWayConverter" in calls else set()
        names = {
            "imports": sorted(needed),
            "helpers": helpers_of(steps),
            "sizes": sizes_of(steps),
            "functions": list(functions_of(operations).values()),
            "has_steps": "TensorSteps" in calls,
            "has_one_way": "OneWayConverter" in calls,
            "reasons": [entry.reason for entry in self.entries],
        }
        data = {
            "year": datetime.now(UTC).year,
            "name": self._name,
            "key": self.key,
            "entries": [entry.call for entry in self.entries],
            "ignored": list(self.ignored),
        }
        return render(TEMPLATE, names, data)

    def _ignored(self) -> tuple[str, ...]:
        found = dropped_names(self._prepared, self.transforms())
        patterns: list[str] = []
        for each in self._prepared.dropped:
            kept = all(found.get(name, name) == name for name in each.names)
            own = [bare_regex(each.rule.source)] if kept else [escaped(found.get(name, name)) for name in each.names]
            patterns += [f"^{pattern}$" for pattern in own]
        return tuple(dict.fromkeys(patterns))


def _converter(converter: Converter, transform: Transform, *, one_way: bool) -> Entry:
    sources, targets = (side[0] if len(side) == 1 else list(side) for side in (converter.sources, converter.targets))
    name = "OneWayConverter" if one_way else "WeightConverter"
    call = Call(name, (sources, targets), {"operations": list(transform.operations)})
    return Entry(call, transform.reason)


def _calls(call: Call) -> list[Call]:
    inner = [each for each in call.keywords.get("operations", []) if isinstance(each, Call)]
    return [call, *inner]


def _key(prepared: Prepared) -> str:
    """What the mapping is registered for: the model's type, or its class where the type has a mapping already."""
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    if not is_pretrained(prepared.model):
        raise GenerationError(
            f"{show(type(prepared.model).__name__)} is no PreTrainedModel, and only these have a conversion mapping",
            hint="let the port inherit from transformers.PreTrainedModel, or write the script: --emit script",
        )
    kind, name = str(prepared.config.model_type), type(prepared.model).__name__
    known = [get_checkpoint_conversion_mapping(each) for each in (kind, name)]
    return kind if kind and known == [None, None] else name


def _require_other_names(prepared: Prepared) -> None:
    """No name may mean one tensor in the original and another one in the port: both kinds of checkpoint are loaded."""
    for each in prepared.applied:
        for step in each.steps:
            same = step.is_rename and step.sources == step.targets
            for name in step.sources:
                if not same and name in prepared.tensors.tensors:
                    raise GenerationError(
                        f"the rule {each.rule} cannot be a mapping: {show(name)} is a name of the original's and of "
                        "the port's, for different tensors, so a saved port would be converted a second time",
                        hint="write the script instead: porting convert --emit script",
                    )

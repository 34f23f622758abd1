"""The steps of a conversion in words, equal layers folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from porting.folding import fold
from porting.weights.rules.steps import Step

KEPT, RENAMED = "kept", "renamed"


@dataclass(frozen=True)
class Line:
    """Several steps in one.

    Attributes:
        targets: names that are written, folded.
        sources: the checkpoint's names, folded.
        change: what is done, in words.
        tensors: how many are written.
        bytes: that they take.
    """

    targets: str
    sources: str
    change: str
    tensors: int
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """As in JSON."""
        return {
            "targets": self.targets,
            "sources": self.sources,
            "change": self.change,
            "tensors": self.tensors,
            "bytes": self.bytes,
        }


def in_words(steps: Sequence[Step], sizes: Mapping[str, int]) -> tuple[Line, ...]:
    """One line for all steps that differ by numbers in their names only.

    Args:
        steps: what is done.
        sizes: bytes of what is written, by target; other targets are not counted.
    """
    groups: dict[tuple[int, str], list[Step]] = {}
    words: dict[int, str] = {}
    for step in steps:
        change = words.get(id(step.operations)) if step.operations else _new_name(step)
        if change is None:
            change = words[id(step.operations)] = ", then ".join(map(str, step.operations))
        groups.setdefault((id(step.rule), change), []).append(step)
    return tuple(
        _line([group[member] for member in row.members], change, sizes)
        for (_, change), group in groups.items()
        for row in fold([step.targets[0] for step in group])
    )


def _line(steps: Sequence[Step], change: str, sizes: Mapping[str, int]) -> Line:
    targets = [name for step in steps for name in step.targets]
    written = [name for name in targets if name in sizes]
    sources = [name for step in steps for name in step.sources]
    return Line(_folded(targets), _folded(sources), change, len(written), sum(sizes[name] for name in written))


def _new_name(step: Step) -> str:
    return KEPT if step.sources == step.targets else RENAMED


def _folded(names: Sequence[str]) -> str:
    return ", ".join(row.name for row in fold(list(dict.fromkeys(names))))

"""Causes: what a contributor adds to the diagnosis, one class in one file.

A cause looks at a `Case` and proposes repairs that a cheap look at its tensors, weights and settings does not rule
out. Diagnosis tries each on the live port, and believes none that was not proven by that run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch

from porting.alignment import Alignment
from porting.comparison.metrics import finite
from porting.comparison.relations import Relation
from porting.diagnosis.culprits import Culprit
from porting.diagnosis.scene import Gap, Moment, is_plain
from porting.diagnosis.trial import Applied
from porting.reruns.feeding import Place
from porting.trace import ModuleInfo, Trace, flatten

Weights = Callable[[str, str], torch.Tensor | None]
"""The content of an original tensor by module path and name; None where only its sketch is known."""


@dataclass(frozen=True, slots=True)
class Repair:
    """A change to the live port that a cause proposes.

    Attributes:
        code: of the cause (DESIGN section 6).
        summary: what is wrong, in one sentence, original first: "eps is 1e-05, the original's is 1e-12".
        fix: what the contributor should change, in one sentence.
        apply: makes the change for as long as its context lasts; None where nothing can be tried.
        recognised: whether the cause is worth naming without proof, as a weight that differs from the original's.
        follows: for modules whose weights the repair changes, the path of the ported module whose place in the
            original each takes by that (weights of two modules exchanged: each that of the other); None: what it
            computes then has no counterpart. The trial judges each by its new counterpart.
        owner: path of the module below the culprit whose own tensors are at fault, if these are: with the proof the
            fault is pinned to it.
        whole: whether the whole run is made again: the change is outside of what the culprit's trials run.
    """

    code: str
    summary: str
    fix: str
    apply: Applied | None = None
    recognised: bool = False
    follows: Mapping[str, str | None] = field(default_factory=dict)
    owner: str | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause as it was found.

    Attributes:
        code: of the cause.
        summary: what is wrong.
        fix: what to change.
        verified: whether the repair, tried on the live port, brought every difference down to the noise floor.
        max_abs_after: largest difference that was left in that trial; None if nothing was tried.
        owner: of the tensors at fault, if these are.
    """

    code: str
    summary: str
    fix: str
    verified: bool
    max_abs_after: float | None
    owner: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The entry of ``causes`` in ``porting verify --json``."""
        return {
            "code": self.code,
            "summary": self.summary,
            "fix": self.fix,
            "verified": self.verified,
            "max_abs_after": finite(self.max_abs_after),
        }


@dataclass(frozen=True, slots=True)
class Case:
    """What is known at one culprit.

    Attributes:
        culprit: the module at fault.
        model: the live port.
        module: the live module at fault.
        moments: its calls on the original's tensors; at least one.
        gaps: where it goes wrong; at least one.
        original: the original's trace.
        ported: the port's trace.
        alignment: between the two.
        weights: contents of original tensors, where they are at hand.
        relations: what explains the gap at a place, kept from cause to cause.
    """

    culprit: Culprit
    model: torch.nn.Module
    module: torch.nn.Module
    moments: tuple[Moment, ...]
    gaps: tuple[Gap, ...]
    original: Trace
    ported: Trace
    alignment: Alignment
    weights: Weights
    relations: dict[Place, list[Relation]] = field(default_factory=dict, repr=False)

    @property
    def path(self) -> str:
        """The culprit's path."""
        return self.culprit.ported

    @property
    def info(self) -> ModuleInfo:
        """The culprit as the port's trace lists it."""
        return self.ported.modules[self.path]

    @property
    def counterpart(self) -> ModuleInfo | None:
        """The original module that it corresponds to, None if it has none."""
        return None if self.culprit.original is None else self.original.modules[self.culprit.original]

    @property
    def own_output(self) -> Gap | None:
        """The first gap at the culprit's own output, None if its fault shows elsewhere."""
        return next((gap for gap in self.gaps if gap.where == "output" and gap.path == self.path), None)

    def known(self, gap: Gap) -> Mapping[str, torch.Tensor]:
        """The tensors that the culprit had at hand where it went wrong, all of them the original's own, by name.

        ``argument NAME`` of the culprit, ``input of PATH (NAME)`` and ``output of PATH (NAME)`` of the calls it had
        made by then, ``parameter NAME`` and ``buffer NAME`` of its own.
        """
        return dict(self._known(gap))

    def only_original(self, gap: Gap) -> Mapping[str, torch.Tensor]:
        """What original modules without a counterpart made in the call that corresponds to the culprit's, by name.

        ``original output of PATH``: of a norm, an embedding or a layer that the port may lack. In the original's
        layout.
        """
        call = self.moment(gap).original
        inside = {call.index} if call is not None else set()
        found: dict[str, torch.Tensor] = {}
        for other in self.original.calls:
            if other.parent in inside:
                inside.add(other.index)
                if other.path in self.alignment.unmatched_original:
                    for leaf in other.outputs.tensor_leaves():
                        name = f"original output of {other.label}" + (f" ({leaf.name})" if leaf.name else "")
                        found[name] = self.original.tensor(leaf)
        return found

    def moment(self, gap: Gap) -> Moment:
        """The call of the culprit in which a gap arises."""
        step = gap.place[0][0]
        inside = [m for m in self.moments if m.key == gap.place[0] or any(c.key == gap.place[0] for c in m.children)]
        return next(iter(inside or [m for m in self.moments if m.key[0] == step] or self.moments))

    def _known(self, gap: Gap) -> Iterator[tuple[str, torch.Tensor]]:
        moment = self.moment(gap)
        for name, tensor in moment.received().items():
            yield f"argument {name}", tensor
        for child in moment.children:
            if child.key == gap.place[0]:
                break
            for name, tensor in child.received().items():
                yield f"input of {child.path} ({name})", tensor
            for name, tensor in child.made().items():
                yield f"output of {child.path} ({name})" if name else f"output of {child.path}", tensor
        for kind, own in (("parameter", self.module._parameters), ("buffer", self.module._buffers)):
            yield from ((f"{kind} {name}", tensor.detach()) for name, tensor in own.items() if is_plain(tensor))


class Cause(ABC):
    """One explanation of a culprit.

    Attributes:
        codes: the codes that its repairs may carry.
        rank: causes of a lower rank are tried first: 0 settings, 1 weights, 2 what one module computes, 3 relations
            between tensors, 4 families that take many trials.
    """

    codes: ClassVar[tuple[str, ...]]
    rank: ClassVar[int]

    @abstractmethod
    def repairs(self, case: Case) -> Iterator[Repair]:
        """The repairs worth trying, likeliest first; nothing where the cause does not apply."""


def tensors_of(value: Any) -> dict[str, torch.Tensor]:
    """The tensors of a nested value by leaf name."""
    return {name: leaf for name, leaf in flatten(value)[1] if isinstance(leaf, torch.Tensor)}

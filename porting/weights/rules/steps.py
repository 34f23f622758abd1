"""What a plan consists of: steps, what each gives before any data is read, and what could not be planned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch

from porting.errors import RuleError
from porting.folding import fold
from porting.text import show
from porting.weights.report import Remark, Spec
from porting.weights.rules.operation import Groups, Operation
from porting.weights.rules.rule import Convert

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

    def result(self, target: str) -> Spec:
        """What one of the targets is."""
        return self.results[self.targets.index(target)]

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
    """Why a rule could not be applied to some tensors.

    Attributes:
        sources: their names.
        targets: the names that it would make, as far as they are known.
        message: why not.
        hint: what to do next.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    message: str
    hint: str = ""


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


def applied(operations: Iterable[Operation], groups: Groups) -> Groups:
    """What is left after all operations.

    Raises:
        RuleError: one of them does not fit the tensors.
    """
    for operation in operations:
        try:
            groups = operation.apply(groups)
        except (RuntimeError, ValueError, IndexError, TypeError, ArithmeticError) as error:
            shapes = ", ".join(str(list(tensor.shape)) for group in groups for tensor in group)
            why = str(error).partition("\n")[0]  # what follows is a trace of C++
            raise RuleError(f"{operation!r} cannot be applied to {show(shapes, 100)}: {show(why, 200)}") from error
    return groups


def grouped(tensors: Sequence[torch.Tensor], lengths: Sequence[int]) -> Groups:
    """Tensors one after the other as groups of these lengths."""
    rest = iter(tensors)
    return [[next(rest) for _ in range(length)] for length in lengths]


def empty(spec: Spec) -> torch.Tensor:
    """A tensor of this dtype and shape, without data.

    Raises:
        RuleError: torch has no such dtype.
    """
    dtype = getattr(torch, spec.dtype, None)
    if not isinstance(dtype, torch.dtype):
        raise RuleError(f"torch has no dtype {show(spec.dtype)}: such a tensor can be renamed only")
    return torch.empty(spec.shape, dtype=dtype, device="meta")


def listing(names: Iterable[str]) -> str:
    """Names in a sentence, folded."""
    return ", ".join(show(row.name) for row in fold([str(name) for name in names]))

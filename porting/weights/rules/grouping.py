"""Operations that make several tensors of one, and one of several."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from porting.errors import RuleError
from porting.weights.rules.operation import Groups, Operation, Size, single, whole

MOST_UNSTACKED = 100_000
"""Tensors that are taken out of one: a checkpoint may claim any length."""


@dataclass(frozen=True, repr=False)
class Split(Operation):
    """Cut one tensor into several, one for each target, in their order.

    With ``groups``, the dimension is that many equal groups, each with its own pieces: ``Split(groups=heads)`` for q,
    k and v of one head after the other, ``Split((4 * 64, 64, 64), groups=8)`` for four queries to each key and value.
    Transformers' ``Chunk`` knows equal pieces only, and gives fewer or unequal ones without a word where the length
    cannot be divided.

    Attributes:
        sizes: lengths of the pieces, within a group; None for equal ones.
        dim: the dimension that is cut.
        groups: how many.
        count: how many pieces, where ``sizes`` is None; a rule that does not join them again has a target for each.
    """

    sizes: tuple[Size, ...] | None = None
    dim: int = 0
    groups: Size = 1
    count: int | None = None

    def apply(self, groups: Groups) -> Groups:
        """Cut the one tensor.

        Raises:
            RuleError: it has not this length, or nothing says how many pieces are wanted.
        """
        tensor = single(self, groups)
        if self.sizes is None and self.count is None:
            raise RuleError(
                f"{self!r} does not say into how many pieces", hint="Split(count=3), or Split((64, 32, 32))"
            )
        dim = dimension(self, tensor, self.dim)
        length, number = tensor.shape[dim], int(self.groups)
        sizes = whole(self.sizes or _equal(length // number, self.count or 1))
        if sum(sizes) * number != length:
            what = f"{sizes}" if number == 1 else f"{number} groups of {sizes}"
            raise RuleError(f"dimension {dim} of {list(tensor.shape)} cannot be split into {what}")
        if number == 1:
            return [[piece] for piece in torch.split(tensor, sizes, dim)]
        grouped = torch.unflatten(tensor, dim, (number, length // number))
        return [[piece.flatten(dim, dim + 1)] for piece in torch.split(grouped, sizes, dim + 1)]

    def inverse(self) -> Concatenate:
        """Concatenate."""
        return Concatenate(self.dim, self.groups, self.sizes, self.count)

    def pieces(self, number: int | None) -> int | None:
        """As many as there are sizes, or as it is told."""
        return self.count if self.sizes is None else len(self.sizes)

    def __str__(self) -> str:
        """In words."""
        pieces = "equal pieces" if self.sizes is None else " + ".join(map(str, self.sizes))
        return f"split dimension {self.dim} into {pieces}" + _of_each(self.groups)


@dataclass(frozen=True, repr=False)
class Concatenate(Operation):
    """Join tensors along a dimension, in the order of the sources; with ``groups``, group by group.

    Attributes:
        dim: the dimension that grows.
        groups: as for `Split`.
        sizes: the lengths along it, within a group: checked, and needed for the way back if they are not equal.
        count: how many tensors, for the way back where ``sizes`` is None; a rule knows it.
    """

    dim: int = 0
    groups: Size = 1
    sizes: tuple[Size, ...] | None = None
    count: int | None = None

    def apply(self, groups: Groups) -> Groups:
        """Join all.

        Raises:
            RuleError: their lengths are not those that are expected, or they do not fit together.
        """
        tensors = _alike(self, [tensor for group in groups for tensor in group])
        dim, number = dimension(self, tensors[0], self.dim), int(self.groups)
        lengths = [tensor.shape[dim] if dim < tensor.dim() else 0 for tensor in tensors]
        if self.sizes is not None and lengths != [size * number for size in whole(self.sizes)]:
            raise RuleError(f"{self!r} is given tensors with {lengths} along dimension {dim}")
        if any(length % number for length in lengths):
            raise RuleError(f"{self!r} is given {lengths} along dimension {dim}, not {number} groups of each")
        if number == 1:
            return [[torch.cat(tensors, dim)]]
        grouped = [torch.unflatten(tensor, dim, (number, tensor.shape[dim] // number)) for tensor in tensors]
        return [[torch.cat(grouped, dim + 1).flatten(dim, dim + 1)]]

    def inverse(self) -> Split:
        """Split."""
        return Split(self.sizes, self.dim, self.groups, self.count)

    def pieces(self, number: int | None) -> int:
        """One."""
        return 1

    def __str__(self) -> str:
        """In words."""
        return f"concatenate along dimension {self.dim}" + _of_each(self.groups)


@dataclass(frozen=True, repr=False)
class Stack(Operation):
    """Stack the tensors of a list axis in a new dimension, each source pattern by itself: experts into one tensor."""

    dim: int = 0

    def apply(self, groups: Groups) -> Groups:
        """Stack each group.

        Raises:
            RuleError: tensors of a group differ in dtype.
        """
        return [[torch.stack(_alike(self, group), self.dim)] for group in groups]

    def inverse(self) -> Unstack:
        """Unstack."""
        return Unstack(self.dim)

    def __str__(self) -> str:
        """In words."""
        return f"stack in a new dimension {self.dim}"


@dataclass(frozen=True, repr=False)
class Unstack(Operation):
    """Take a tensor apart along a dimension, which goes: a stacked tensor into experts."""

    dim: int = 0

    def apply(self, groups: Groups) -> Groups:
        """Take each apart.

        Raises:
            RuleError: a group has more than one tensor, or would have more than any list of modules has.
        """
        tensors = [single(self, [group]) for group in groups]
        longest = max((tensor.shape[self.dim] for tensor in tensors), default=0)
        if longest > MOST_UNSTACKED:
            raise RuleError(f"{self!r} would make {longest:,} tensors of one; the most are {MOST_UNSTACKED:,}")
        return [list(tensor.unbind(self.dim)) for tensor in tensors]

    def inverse(self) -> Stack:
        """Stack."""
        return Stack(self.dim)

    def __str__(self) -> str:
        """In words."""
        return f"take dimension {self.dim} apart"


@dataclass(frozen=True, repr=False)
class Copy(Operation):
    """Give one tensor to several targets: a table that the original ties and the port does not."""

    count: int = 2

    def apply(self, groups: Groups) -> Groups:
        """Give the one tensor that often."""
        tensor = single(self, groups)
        return [[tensor] for _ in range(self.count)]

    def pieces(self, number: int | None) -> int:
        """As many as it is told."""
        return self.count

    def __str__(self) -> str:
        """In words."""
        return f"the same for all {self.count}"


def dimension(operation: Operation, tensor: torch.Tensor, dim: int) -> int:
    """A dimension counted from the front.

    Raises:
        RuleError: the tensor has no such dimension.
    """
    if not -tensor.dim() <= dim < tensor.dim():
        raise RuleError(f"{operation!r} asks for dimension {dim} of a tensor of shape {list(tensor.shape)}")
    return dim % tensor.dim()


def _alike(operation: Operation, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    """The tensors, which have one dtype: torch would cast them in silence."""
    found = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors})
    if len(found) > 1:
        raise RuleError(
            f"{operation!r} is given {' and '.join(found)}", hint='give them one first, as with Cast("float32")'
        )
    return tensors


def _equal(length: int, count: int) -> tuple[int, ...]:
    return (length // count,) * count


def _of_each(groups: Size) -> str:
    return "" if groups == 1 else f", in each of {groups} groups"

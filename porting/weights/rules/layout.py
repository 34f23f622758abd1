"""Operations that bring the elements of one tensor into another order or shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from porting.errors import RuleError
from porting.weights.rules.operation import OnEach, Size, whole


def spread(given: tuple[Any, ...]) -> tuple[Any, ...]:
    """The numbers, which torch takes one by one or in a sequence."""
    return tuple(given[0]) if len(given) == 1 and isinstance(given[0], (list, tuple)) else given


BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True, repr=False)
class Transpose(OnEach):
    """Exchange two dimensions: ``[in, out]`` of TensorFlow or of a GPT-2 ``Conv1D`` to ``[out, in]``."""

    dim0: int = 0
    dim1: int = 1

    def change(self, tensor: torch.Tensor) -> torch.Tensor:
        """Transpose."""
        return tensor.transpose(self.dim0, self.dim1)

    def inverse(self) -> Transpose:
        """Itself."""
        return self

    def __str__(self) -> str:
        """In words."""
        return "transpose" if (self.dim0, self.dim1) == (0, 1) else f"exchange dimensions {self.dim0} and {self.dim1}"


@dataclass(frozen=True, repr=False, init=False)
class Permute(OnEach):
    """Bring all dimensions into another order: ``Permute(3, 2, 0, 1)`` for a kernel ``[h, w, in, out]``."""

    dims: tuple[int, ...]

    def __init__(self, *dims: int | Sequence[int]) -> None:
        order = spread(dims)
        if sorted(order) != list(range(len(order))):
            raise RuleError(f"Permute takes every dimension once, from 0, and {list(order)} were given")
        object.__setattr__(self, "dims", order)

    def change(self, tensor: torch.Tensor) -> torch.Tensor:
        """Permute."""
        return tensor.permute(self.dims)

    def inverse(self) -> Permute:
        """The order that brings them back."""
        return Permute(*(self.dims.index(dim) for dim in range(len(self.dims))))

    def _arguments(self) -> list[str]:
        return [str(dim) for dim in self.dims]

    def __str__(self) -> str:
        """In words."""
        return f"dimensions in the order {', '.join(map(str, self.dims))}"


@dataclass(frozen=True, repr=False, init=False)
class Reshape(OnEach):
    """Give another shape, elements in the same order; one length may be -1. ``back`` is the shape before."""

    shape: tuple[Size, ...]
    back: tuple[Size, ...] | None

    def __init__(self, *shape: Size | Sequence[Size], back: Sequence[Size] | None = None) -> None:
        object.__setattr__(self, "shape", spread(shape))
        object.__setattr__(self, "back", back)
        self.__post_init__()

    def change(self, tensor: torch.Tensor) -> torch.Tensor:
        """Reshape."""
        return tensor.reshape(whole(self.shape))

    def inverse(self) -> Reshape | None:
        """The way back, if the shape before is known."""
        return None if self.back is None else Reshape(*self.back, back=self.shape)

    def _arguments(self) -> list[str]:
        return [*map(repr, self.shape), *([] if self.back is None else [f"back={self.back!r}"])]

    def __str__(self) -> str:
        """In words."""
        return f"shape {list(self.shape)}"


@dataclass(frozen=True, repr=False)
class Flatten(OnEach):
    """Make one dimension of several: the kernel of a convolution over patches for a linear layer.

    Attributes:
        start: the first of them.
        stop: the last of them.
        sizes: their lengths, for the way back.
    """

    start: int = 1
    stop: int = -1
    sizes: tuple[Size, ...] | None = None

    def change(self, tensor: torch.Tensor) -> torch.Tensor:
        """Flatten."""
        return tensor.flatten(self.start, self.stop)

    def inverse(self) -> Unflatten | None:
        """The way back, if the lengths are known."""
        return None if self.sizes is None else Unflatten(self.sizes, self.start)

    def __str__(self) -> str:
        """In words."""
        return f"flatten dimensions {self.start} to {self.stop}"


@dataclass(frozen=True, repr=False)
class Unflatten(OnEach):
    """Make several dimensions of one: a linear layer's matrix for a convolution over patches."""

    sizes: tuple[Size, ...]
    dim: int = 1

    def change(self, tensor: torch.Tensor) -> torch.Tensor:
        """Unflatten."""
        return torch.unflatten(tensor, self.dim, whole(self.sizes))

    def inverse(self) -> Flatten:
        """The way back."""
        return Flatten(self.dim, self.dim + len(self.sizes) - 1, self.sizes)

    def __str__(self) -> str:
        """In words."""
        return f"dimension {self.dim} as {list(self.sizes)}"


@dataclass(frozen=True, repr=False)
class Flip(OnEach):
    """Reverse a dimension: colours as blue, green, red; taps from last to first."""

    dim: int

    def change(self, tensor: torch.Tensor) -> torch.Tensor:
        """Flip; of unsigned and 8-bit floating point numbers torch does so only by their bits."""
        bits = None if tensor.is_complex() else BITS[tensor.element_size()]
        return tensor.flip(self.dim) if bits is None else tensor.view(bits).flip(self.dim).view(tensor.dtype)

    def inverse(self) -> Flip:
        """Itself."""
        return self

    def __str__(self) -> str:
        """In words."""
        return f"reverse dimension {self.dim}"


@dataclass(frozen=True, repr=False)
class Slice(OnEach):
    """Keep a part of a dimension: a table of positions without its offset, a vocabulary without its padding."""

    start: Size = 0
    stop: Size | None = None
    dim: int = 0

    def change(self, tensor: torch.Tensor) -> torch.Tensor:
        """Cut.

        Raises:
            RuleError: the tensor is shorter than that.
        """
        length = tensor.shape[self.dim]
        start, stop = int(self.start), length if self.stop is None else int(self.stop)
        if not 0 <= start < stop <= length:
            raise RuleError(f"{self!r} does not lie within the {length} of {list(tensor.shape)}")
        return tensor.narrow(self.dim, start, stop - start)

    def __str__(self) -> str:
        """In words."""
        return f"only {self.start} to {'the end' if self.stop is None else self.stop} of dimension {self.dim}"


@dataclass(frozen=True, repr=False)
class PermuteRope(OnEach):
    """Reorder the rows of each head for the other layout of rotary positions.

    The rotation turns pairs of rows: neighbours (``pairs``: 0 with 1, 2 with 3; Meta's Llama, GPT-J) or a row and the
    one half a head further (``halves``; Transformers). Transformers' own ``PermuteForRope`` takes the number of query
    heads for keys, too, which is wrong where keys have fewer; here it is said.

    Attributes:
        heads: how many this tensor has: for keys, the number of key heads.
        to: the layout that is wanted.
        rotary: how many rows of a head are rotated, the first ones; None for all.
    """

    heads: Size
    to: Literal["halves", "pairs"] = "halves"
    rotary: Size | None = None

    def change(self, tensor: torch.Tensor) -> torch.Tensor:
        """Reorder the rows.

        Raises:
            RuleError: the rows are not that many heads of pairs.
        """
        if self.to not in ("halves", "pairs"):
            raise RuleError(f"PermuteRope(to={self.to!r}) knows 'halves' or 'pairs'")
        heads, rows = int(self.heads), tensor.shape[0] if tensor.dim() else 0
        rotary = rows // heads if self.rotary is None else int(self.rotary)
        if rows % heads or rotary % 2 or not 0 < rotary <= rows // heads:
            raise RuleError(f"{self!r} does not fit a tensor of {list(tensor.shape)}: its rows are no heads of pairs")
        by_head = torch.unflatten(tensor, 0, (heads, rows // heads))
        turned, rest = by_head[:, :rotary], by_head[:, rotary:]
        pairs = (rotary // 2, 2) if self.to == "halves" else (2, rotary // 2)
        turned = torch.unflatten(turned, 1, pairs).transpose(1, 2).flatten(1, 2)
        return torch.cat([turned, rest], 1).flatten(0, 1) if math.prod(rest.shape) else turned.flatten(0, 1)

    def inverse(self) -> PermuteRope:
        """The other layout."""
        return PermuteRope(self.heads, "pairs" if self.to == "halves" else "halves", self.rotary)

    def __str__(self) -> str:
        """In words."""
        rows = "rows" if self.rotary is None else f"the first {self.rotary} rows"
        return f"{rows} of each of {self.heads} heads from {self.inverse().to} to {self.to}"

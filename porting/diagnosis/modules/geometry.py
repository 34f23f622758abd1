"""Padding and convolution as families: which border, stride and dilation make one tensor of another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch
from torch.nn import functional

MODES = ("zeros", "reflect", "replicate", "circular")
MOST_SHIFT = 64
"""Widest border, in elements, that is looked for."""
STEPS = (1, 2, 3, 4)
"""Strides and dilations that are tried beside those of the settings."""
CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
Accept = Callable[[torch.Tensor], bool]


@dataclass(frozen=True, slots=True)
class Border:
    """Elements added before and after each spatial axis, or taken off where negative."""

    sides: tuple[tuple[int, int], ...]
    mode: str

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """The tensor with that border."""
        flat = [width for pair in reversed(self.sides) for width in pair]
        if not any(flat):
            return x
        return functional.pad(x, flat, mode="constant" if self.mode == "zeros" else self.mode)

    def __str__(self) -> str:
        """In print."""
        if not any(width for pair in self.sides for width in pair):
            return "no padding"
        pairs = set(self.sides)
        sides = str(next(iter(pairs))) if len(pairs) == 1 else str(self.sides)
        return f"padding (before, after) of {sides}" + (f" by {self.mode}" if self._grows else "")

    @property
    def _grows(self) -> bool:
        return any(width > 0 for pair in self.sides for width in pair)


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution with a given kernel."""

    border: Border
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    def apply(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """The convolution of ``x``."""
        function = CONVOLUTIONS[len(self.stride)]
        return function(self.border.apply(x), weight, bias, self.stride, 0, self.dilation, self.groups)

    def parts(self) -> tuple[str, str, str]:
        """Its settings in print."""
        return f"stride {self.stride}", str(self.border), f"dilation {self.dilation}"


def border_between(x: torch.Tensor, y: torch.Tensor, axes: int, accept: Accept) -> Border | None:
    """The border that makes ``y`` of ``x``, over its last axes; None if none does."""
    if x.dim() != y.dim() or x.shape[:-axes] != y.shape[:-axes]:
        return None
    totals = [mine - theirs for theirs, mine in zip(x.shape[-axes:], y.shape[-axes:], strict=True)]

    def fits(border: Border) -> bool:
        few = torch.allclose(border.apply(x[:1, :1]), y[:1, :1], rtol=1e-2, atol=1e-3)
        return few and accept(border.apply(x))

    return next((border for border in _borders(totals) if _accepted(partial(fits, border))), None)


def convolution_between(
    x: torch.Tensor, weight: torch.Tensor, shape: Sequence[int], accept: Callable[[Convolution], bool],
    given: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
) -> Convolution | None:  # fmt: skip
    """The convolution with a kernel that makes a tensor of a given shape of ``x``.

    Args:
        x: (batch, channels, spatial axes).
        weight: the kernel.
        shape: the result's shape.
        accept: whether a convolution's result is right.
        given: strides and dilations of the settings, tried first.
    """
    axes = weight.dim() - 2
    groups = x.shape[1] // weight.shape[1]
    usual = [((stride,) * axes, (dilation,) * axes) for dilation, stride in product(STEPS, STEPS)]
    for stride, dilation in dict.fromkeys([*given, *usual]):
        totals = []
        for axis in range(axes):
            reach = dilation[axis] * (weight.shape[2 + axis] - 1) + 1
            totals.append((shape[2 + axis] - 1) * stride[axis] + reach - x.shape[2 + axis])
        for border in _borders([max(total, 0) for total in totals], stride=max(stride)):
            found = Convolution(border, stride, dilation, groups)
            if _accepted(partial(accept, found)):
                return found
    return None


def _borders(totals: Sequence[int], stride: int = 1) -> Iterator[Border]:
    """Borders that add so much along each axis; up to ``stride - 1`` more, as a stride may leave a rest."""
    for extra in range(stride):
        grown = [total + extra for total in totals]
        for sides in dict.fromkeys(zip(*(_sides(total) for total in grown), strict=False)):
            for mode in MODES if any(width > 0 for pair in sides for width in pair) else MODES[:1]:
                yield Border(tuple(sides), mode)


def _sides(total: int) -> list[tuple[int, int]]:
    """Both sides alike, all before, all after, and then every other split, as long as a splice is thinkable."""
    half = total // 2 if total >= 0 else -(-total // 2)
    first = [(half, total - half), (total - half, half), (total, 0), (0, total)]
    step = 1 if total >= 0 else -1
    return first + [(before, total - before) for before in range(step, total, step)][:MOST_SHIFT]


def _accepted(check: Callable[[], bool]) -> bool:
    """Whether a candidate can be computed and is accepted: a reflection may be wider than the tensor."""
    try:
        return check()
    except (RuntimeError, ValueError, NotImplementedError):
        return False

"""Whether two sets of named tensors agree, each within what it is allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from porting.comparison import NamedComparison, Positions, compare_tensors
from porting.tolerance import Tolerance

Allowance = Callable[[str, torch.Tensor], Tolerance]
"""The tolerance of an output, by its name and expected values."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two sets of tensors held against each other by name.

    Attributes:
        outputs: of every name on both sides, in order.
        missing: names on one side only.
    """

    outputs: tuple[NamedComparison, ...]
    missing: tuple[str, ...] = ()

    @property
    def wrong(self) -> tuple[NamedComparison, ...]:
        """Those that do not agree; where nothing could be compared, nothing speaks against it."""
        return tuple(output for output in self.outputs if not output.numbers.allclose and not _is_blind(output))

    @property
    def blind(self) -> tuple[NamedComparison, ...]:
        """Those of one shape of which nothing could be compared: no finite element at a valid position."""
        return tuple(output for output in self.outputs if _is_blind(output))

    @property
    def compared(self) -> bool:
        """Whether any element was compared."""
        return any(output.numbers.comparable for output in self.outputs)

    @property
    def max_abs(self) -> float | None:
        """The largest difference; None if nothing was compared."""
        found = [output.numbers.max_abs for output in self.outputs if output.numbers.comparable]
        return max(found, default=None)


def agree(
    expected: Mapping[str, torch.Tensor],
    found: Mapping[str, torch.Tensor],
    allowance: Allowance,
    valid: torch.Tensor | None = None,
) -> Agreement:
    """Compare tensors of the same names.

    Args:
        expected: the reference; tolerances are relative to it.
        found: what is held against it.
        allowance: the tolerance of each.
        valid: bool over (batch, sequence): positions that count; None: all.
    """
    positions = Positions(valid)
    return Agreement(
        tuple(
            NamedComparison(
                name, compare_tensors(tensor, found[name], allowance(name, tensor), positions.mask(tensor, leaf=name))
            )
            for name, tensor in expected.items()
            if name in found
        ),
        tuple(sorted(set(expected) ^ set(found))),
    )


def _is_blind(output: NamedComparison) -> bool:
    numbers = output.numbers
    return not numbers.comparable and numbers.original_shape == numbers.ported_shape

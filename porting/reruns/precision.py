"""Run a model in float64, for the rounding error of one place: its own result against the exact one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from porting.copying import copied
from porting.hooks.module_tree import all_tensors
from porting.reruns.pausing import PausableMode

GROUPED = ("grouped_mm", "_grouped_mm")
"""Names of torch's product of groups of rows, each with a matrix of its own (experts); the older one is private."""
AUTOCAST = ("cpu", "cuda")
"""Kinds of device whose autocast is looked at."""


@contextmanager
def in_float64(model: torch.nn.Module) -> Iterator[Promotion]:
    """Hold the model's floating-point parameters and buffers in float64, and compute in float64.

    The casts to float32 that norms, softmax and rotary embeddings make on purpose become casts to float64; without
    that the result is no better than float32 there. Casts to lower precisions stay: they are part of the model.
    New tensors are float64 where the model does not say otherwise. Afterwards the very same tensors and the default
    dtype are back in place.

    Yields:
        The promotion of casts, to be paused where torch does other work than the model's.
    """
    tensors = all_tensors(model)
    saved = [(tensor, tensor.data) for tensor in tensors if tensor.is_floating_point() and not tensor.is_meta]
    default = torch.get_default_dtype()
    try:
        for tensor, data in saved:
            tensor.data = data.double()
        torch.set_default_dtype(torch.float64 if default is torch.float32 else default)
        with Promotion() as promotion:
            yield promotion
    finally:
        torch.set_default_dtype(default)
        for tensor, data in saved:
            tensor.data = data


def to_float64(value: Any) -> Any:
    """A copy of ``value`` with every floating-point tensor in float64."""
    return copied(value, lambda tensor: tensor.double() if tensor.is_floating_point() else tensor)


def under_autocast() -> bool:
    """Whether an autocast is on, for any kind of device."""
    return any(map(torch.is_autocast_enabled, AUTOCAST))


class Promotion(PausableMode):
    """Wherever torch is asked for float32, it gives float64.

    Attributes:
        under_autocast: how many functions were called under an autocast, which leaves float64 alone: they compute in
            half precision when the tensors are in float32.
    """

    def __init__(self) -> None:
        super().__init__()
        self.under_autocast = 0

    def called(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run it on float64 where it asks for float32."""
        self.under_autocast += under_autocast()
        if func is torch.Tensor.float:
            return args[0].double()
        args = tuple(torch.float64 if arg is torch.float32 else arg for arg in args)
        promoted: dict[str, Any] = {
            name: torch.float64 if value is torch.float32 else value for name, value in kwargs.items()
        }
        if getattr(func, "__name__", "") in GROUPED and _has_groups(*args, **promoted):
            return _grouped_mm(*args, **promoted)
        return func(*args, **promoted)


def _has_groups(
    rows: torch.Tensor, matrices: torch.Tensor, offs: torch.Tensor | None = None, *_: Any, **__: Any
) -> bool:
    return rows.dtype == torch.float64 and rows.dim() == 2 and matrices.dim() == 3 and offs is not None


def _grouped_mm(
    rows: torch.Tensor,
    matrices: torch.Tensor,
    offs: torch.Tensor,
    bias: torch.Tensor | None = None,
    *_: Any,
    **__: Any,
) -> torch.Tensor:
    """What ``grouped_mm`` computes, whose kernel refuses float64: the rows of each group by the group's matrix.

    ``offs`` says where each group ends; rows after the last, which belong to none, become 0.
    """
    result = rows.new_zeros(len(rows), matrices.shape[-1])
    start = 0
    for matrix, end in zip(matrices, offs.tolist(), strict=True):
        result[start:end] = rows[start:end] @ matrix
        start = end
    return result if bias is None else result + bias

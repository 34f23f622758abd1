"""Run a model in float64, for the rounding error of one place: its own result against the exact one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map


@contextmanager
def in_float64(model: torch.nn.Module) -> Iterator[Promotion]:
    """Hold the model's floating-point parameters and buffers in float64, and compute in float64.

    The casts to float32 that norms, softmax and rotary embeddings make on purpose become casts to float64; without
    that the result is no better than float32 there; new tensors of no stated dtype are float64, too. Casts to lower
    precisions stay: they are part of the model. Afterwards the very same tensors are back in place.

    Yields:
        The promotion of casts, to be paused where torch does other work than the model's.
    """
    tensors = [*model.parameters(), *model.buffers()]
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
    """``value`` with every floating-point tensor in float64."""
    return tree_map(lambda leaf: leaf.double() if _is_float(leaf) else leaf, value)


class Promotion(TorchFunctionMode):
    """Wherever torch is asked for float32, it gives float64."""

    def __init__(self) -> None:
        super().__init__()
        self._paused = False

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let torch do as it is asked."""
        before, self._paused = self._paused, True
        try:
            yield
        finally:
            self._paused = before

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if self._paused:
            return func(*args, **(kwargs or {}))
        if func is torch.Tensor.float:
            return args[0].double()
        args = tuple(torch.float64 if arg is torch.float32 else arg for arg in args)
        promoted = {name: torch.float64 if value is torch.float32 else value for name, value in (kwargs or {}).items()}
        return func(*args, **promoted)


def _is_float(leaf: Any) -> bool:
    return isinstance(leaf, torch.Tensor) and leaf.is_floating_point()

"""A model in half precision, as it would be loaded in it; and in float32 with every result rounded to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from porting.copying import copied
from porting.hooks.module_tree import all_tensors, walk
from porting.reruns.pausing import PausableMode
from porting.runs import Inputs

HALVES = (torch.bfloat16, torch.float16)


@contextmanager
def lowered(model: torch.nn.Module, dtype: torch.dtype, *, buffers: bool = False) -> Iterator[None]:
    """Hold a model's weights in another dtype, as ``from_pretrained(dtype=...)`` gives them.

    What the model asks to keep in float32 stays (``_keep_in_fp32_modules`` in float16, ``..._strict`` in both), and so
    do buffers that are not saved, which are computed when the model is built. Afterwards the very same tensors are
    back in place.

    Args:
        model: to run.
        dtype: of half precision.
        buffers: cast buffers that are not saved, too, as ``model.to(dtype)`` does.
    """
    cast = {id(tensor): tensor for tensor in _cast(model, dtype, buffers=buffers)}.values()
    saved = [(tensor, tensor.data) for tensor in cast]
    config: Any = getattr(model, "config", None)
    known = getattr(config, "dtype", None)
    try:
        for tensor, data in saved:
            tensor.data = data.to(dtype)
        if isinstance(known, torch.dtype):
            config.dtype = dtype
        yield
    finally:
        for tensor, data in saved:
            tensor.data = data
        if isinstance(known, torch.dtype):
            config.dtype = known


def lowered_inputs(inputs: Inputs, dtype: torch.dtype) -> Inputs:
    """Inputs with floating-point tensors in another dtype."""
    return _changed(inputs, lambda tensor: tensor.to(dtype))


def rounded_inputs(inputs: Inputs, dtype: torch.dtype) -> Inputs:
    """Inputs with floating-point tensors in their own dtype, rounded to another one."""
    return _changed(inputs, lambda tensor: _rounded(tensor, dtype))


@contextmanager
def rounding_to(model: torch.nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """Let a model compute in its own precision, with its weights and every result of torch rounded to another one.

    That is what the other precision costs by itself. Its range is not: values that it cannot hold become the largest
    that it can. Afterwards the model's own values are back in place. What else torch looks at meanwhile is rounded,
    too, where it lies: make the inputs before.
    """
    saved = [(tensor, tensor.data) for tensor in all_tensors(model) if tensor.is_floating_point()]
    try:
        for tensor, data in saved:
            tensor.data = _rounded(data, dtype)
        with _Rounding(dtype):
            yield
    finally:
        for tensor, data in saved:
            tensor.data = data


class _Rounding(PausableMode):
    """Rounds what torch functions return, in place: what shares memory with it goes on to share it."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype

    def called(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = func(*args, **kwargs)
        parts = result if isinstance(result, (tuple, list)) else (result,)
        with self.paused():
            for part in parts:
                if type(part) is torch.Tensor and _may_be_rounded(part):
                    part.copy_(_rounded(part, self._dtype))
        return result


def _may_be_rounded(tensor: torch.Tensor) -> bool:
    overlapping = any(stride == 0 and size > 1 for stride, size in zip(tensor.stride(), tensor.shape, strict=True))
    return tensor.is_floating_point() and tensor.element_size() > 2 and not (overlapping or tensor.requires_grad)


def _rounded(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    most = torch.finfo(dtype).max
    held = torch.where(tensor.isinf(), tensor, tensor.clamp(-most, most))
    return held.to(dtype).to(tensor.dtype)


def _changed(inputs: Inputs, change: Callable[[torch.Tensor], torch.Tensor]) -> Inputs:
    held = inputs.args, dict(inputs.kwargs)
    return Inputs(*copied(held, lambda tensor: change(tensor) if tensor.is_floating_point() else tensor))


def _cast(model: torch.nn.Module, dtype: torch.dtype, *, buffers: bool) -> Iterator[torch.Tensor]:
    kept = _kept_in_float32(model, dtype)
    for path, module in walk(model):
        for name, tensor in [*module._parameters.items(), *module._buffers.items()]:
            saved = name not in module._non_persistent_buffers_set
            full = f"{path}.{name}" if path else name
            if tensor is not None and tensor.is_floating_point() and (saved or buffers) and not kept(full):
                yield tensor


def _kept_in_float32(model: torch.nn.Module, dtype: torch.dtype) -> Callable[[str], bool]:
    names: set[str] = set()
    for _, module in walk(model):
        names |= set(getattr(module, "_keep_in_fp32_modules_strict", None) or ())
        if dtype is torch.float16:
            names |= set(getattr(module, "_keep_in_fp32_modules", None) or ())
    patterns = [re.compile(rf"(^|\.){re.escape(name)}($|\.)") for name in sorted(names)]
    return lambda path: any(pattern.search(path) for pattern in patterns)

"""The torch functions that a module's forward calls: seen, and exchanged for one trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from porting.copying import copied
from porting.diagnosis import changes
from porting.diagnosis.scene import Moment
from porting.hooks.preserving import preserved

Instead = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]
"""Called in the place of a torch function: function, positional and keyword arguments."""


@dataclass(frozen=True, slots=True)
class Used:
    """One call of a torch function."""

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    result: Any


def functions_used(moment: Moment) -> list[Used]:
    """The torch functions that a call makes when it is made again, also below it; none if it raises."""
    seen: list[Used] = []

    def instead(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = function(*args, **kwargs)
        seen.append(Used(name_of(function), args, kwargs, result))
        return result

    args, kwargs = copied((moment.args, moment.kwargs), torch.Tensor.clone)
    try:
        with preserved(moment.module), torch.no_grad(), _Exchange(instead):
            moment.module.forward(*args, **kwargs)
    except Exception:
        return []
    return seen


@contextmanager
def intercepted(module: torch.nn.Module, instead: Instead) -> Iterator[None]:
    """Let ``instead`` answer every call of a torch function while the module's forward runs."""
    inner = module.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        with _Exchange(instead):
            return inner(*args, **kwargs)

    with changes.forward(module, forward):
        yield


def name_of(function: Any) -> str:
    """A torch function's short name."""
    return str(getattr(function, "__name__", ""))


class _Exchange(TorchFunctionMode):
    def __init__(self, instead: Instead) -> None:
        super().__init__()
        self._instead = instead

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return self._instead(func, args, kwargs or {})

"""The torch functions that a module's forward calls: seen, and exchanged for one trial."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
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


def functions_used(moment: Moment, *, own: bool = False) -> list[Used]:
    """The torch functions that a call makes when it is made again, also below it; none if it raises.

    With ``own``, those that its `judged_children` make are left out.
    """
    seen: list[Used] = []

    def instead(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = function(*args, **kwargs)
        seen.append(Used(name_of(function), args, kwargs, result))
        return result

    children = judged_children(moment) if own else []
    args, kwargs = copied((moment.args, moment.kwargs), torch.Tensor.clone)
    try:
        with preserved(moment.module), torch.no_grad(), _Exchange(instead), _left_alone(children):
            moment.module.forward(*args, **kwargs)
    except Exception:
        return []
    return seen


def judged_children(moment: Moment) -> list[torch.nn.Module]:
    """The modules called directly from a call that have a counterpart of their own: what they do is judged there."""
    found = {id(child.module): child.module for child in moment.children if child.original is not None}
    return list(found.values())


@contextmanager
def intercepted(module: torch.nn.Module, instead: Instead, *, but: Sequence[torch.nn.Module] = ()) -> Iterator[None]:
    """Let ``instead`` answer every call of a torch function while a forward runs, but those made in ``but``."""
    inner = module.forward

    @wraps(inner)
    def forward(*args: Any, **kwargs: Any) -> Any:
        with _Exchange(instead):
            return inner(*args, **kwargs)

    with changes.forward(module, forward), _left_alone(but):
        yield


@contextmanager
def _left_alone(modules: Sequence[torch.nn.Module]) -> Iterator[None]:
    """Let nothing answer in the place of torch functions while the forward of one of these runs."""
    with ExitStack() as stack:
        for module in modules:
            stack.enter_context(changes.forward(module, _plain(module.forward)))
        yield


def _plain(inner: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(inner)
    def forward(*args: Any, **kwargs: Any) -> Any:
        before, _here.paused = _here.paused, True
        try:
            return inner(*args, **kwargs)
        finally:
            _here.paused = before

    return forward


def name_of(function: Any) -> str:
    """A torch function's short name."""
    return str(getattr(function, "__name__", ""))


class _Here(threading.local):
    paused = False


_here = _Here()


class _Exchange(TorchFunctionMode):
    def __init__(self, instead: Instead) -> None:
        super().__init__()
        self._instead = instead

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return func(*args, **(kwargs or {})) if _here.paused else self._instead(func, args, kwargs or {})

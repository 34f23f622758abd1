"""What is put on a module to listen to it, and what a copy of the module makes of that."""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable
from typing import Any, Protocol

import torch

from porting.errors import CaptureError
from porting.text import show

Undo = Callable[[], None]


class Listens(Protocol):
    """Is told when a module is entered and left; what it returns replaces arguments and output, None keeps them."""

    def enter(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The module begins."""

    def leave(self, module: torch.nn.Module, output: Any) -> Any:
        """The module has returned, or raised: then an exception is being handled that was not when it began."""


def hook(module: torch.nn.Module, listener: Listens, undo: list[Undo]) -> None:
    """Listen by torch's hooks, after those of the user; ``undo`` gets what takes them off again."""
    before = _Hook(module, listener.enter)
    after = _Hook(module, lambda module, *passed: listener.leave(module, passed[-1]))
    undo.append(module.register_forward_pre_hook(before, with_kwargs=True).remove)
    undo.append(module.register_forward_hook(after, with_kwargs=True, always_call=True).remove)


def wrap(module: torch.nn.Module, listener: Listens, undo: list[Undo]) -> None:
    """Listen around the module's ``forward``, also where it is called directly; ``undo`` gets what puts it back.

    Raises:
        CaptureError: the forward is a property, which no attribute of the module stands in for.
    """
    if isinstance(inspect.getattr_static(type(module), "forward", None), property):
        raise CaptureError(
            f"the forward of {show(type(module).__name__)} is a property and cannot be wrapped",
            hint="capture without --wrap-forward",
        )
    attributes = vars(module)
    before = attributes.get("forward", _ABSENT)

    def put_back() -> None:
        if before is _ABSENT:
            attributes.pop("forward", None)
        else:
            attributes["forward"] = before

    undo.append(put_back)
    attributes["forward"] = _Watched(module, listener)


_ABSENT = object()


class _Hook:
    """A hook of one module; a copy of the module that the run makes has one that does nothing."""

    def __init__(self, module: torch.nn.Module | None, action: Callable[..., Any]) -> None:
        self._module = module
        self._action = action

    def __call__(self, module: torch.nn.Module, *passed: Any) -> Any:
        return self._action(module, *passed) if module is self._module else None

    def __reduce__(self) -> tuple[Any, ...]:
        return _Hook, (None, _nothing)


class _Watched:
    """A forward that tells when it is entered and left; of a copy of its module it is the plain forward."""

    def __init__(self, module: torch.nn.Module, listener: Listens) -> None:
        self._module = module
        self._listener = listener
        self._forward = module.forward
        functools.update_wrapper(self, self._forward)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        caller = sys._getframe(1).f_locals.get("self")
        if caller is not self._module and isinstance(caller, torch.nn.Module) and _uses(caller, self):
            return _own_forward(caller)(*args, **kwargs)
        args, kwargs = self._listener.enter(self._module, args, kwargs) or (args, kwargs)
        try:
            output = self._forward(*args, **kwargs)
        except BaseException:
            self._listener.leave(self._module, None)
            raise
        replaced = self._listener.leave(self._module, output)
        return output if replaced is None else replaced

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return _own_forward(memo.get(id(self._module), self._module))

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self._module, "forward")


def _uses(module: torch.nn.Module, forward: _Watched) -> bool:
    """Whether a module has another's forward: it is a shallow copy of that one."""
    return vars(module).get("forward") is forward


def _own_forward(module: torch.nn.Module) -> Any:
    return types.MethodType(type(module).forward, module)


def _nothing(*_: Any) -> None:
    """What the hook of a copied module does."""

"""Follow a running model call by call: hooks on every module, taken off again whatever happens.

A model may run parts of itself in threads of its own: each thread has its own stack of open calls, and what another
thread than the capturing one calls counts as made from the call that is open there.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any

import torch

from porting.errors import CaptureError
from porting.hooks import attaching
from porting.hooks.attaching import Undo, hook, wrap
from porting.hooks.module_tree import executed_modules, unobserved_modules
from porting.hooks.surroundings import prepared

Handled = tuple[BaseException | None, TracebackType | None]
_OWN_FILES = (__file__, attaching.__file__)


@dataclass(slots=True, eq=False)
class OpenCall:
    """A call that has been entered.

    Attributes:
        index: its place among all calls, in order of entry.
        step: which outermost call it belongs to.
        path: the module's path.
        repeat: how many times the module had been called before in this step.
        module: the live module.
        parent: the call it was made from.
        handled: the exception that was being handled when it was entered, and its traceback.
        thread: 0 for the capturing thread, then in the order in which threads make their first call.
        frame: that calls the module, while it is open.
    """

    index: int
    step: int
    path: str
    repeat: int
    module: torch.nn.Module
    parent: OpenCall | None
    handled: Handled
    thread: int = 0
    frame: FrameType | None = None

    @property
    def key(self) -> tuple[int, str, int]:
        """Step, path and call index, as in `porting.trace.Call`."""
        return self.step, self.path, self.repeat

    def is_below(self, other: OpenCall) -> bool:
        """Whether this call was made while ``other`` ran."""
        call = self.parent
        while call is not None and call is not other:
            call = call.parent
        return call is other


class CallTracker:
    """Base of what listens to a run: knows which call is open; subclasses see each call enter and leave."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model
        self.paths: dict[int, str] = {}
        for path, module in executed_modules(model):
            self.paths.setdefault(id(module), path)
        self.step = -1
        self.entered = 0
        self._repeats: dict[tuple[int, str], int] = {}
        self._signatures: dict[int, inspect.Signature | None] = {}
        self._raised: list[tuple[BaseException, OpenCall]] = []
        self._called: set[int] = set()
        self._stacks: dict[threading.Thread, list[OpenCall]] = {}
        self._lock = threading.RLock()

    def entering(
        self, call: OpenCall, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """A call begins; what is returned replaces its arguments, None keeps them."""

    def leaving(self, call: OpenCall, output: Any) -> Any:
        """A call has returned ``output``; what is returned replaces it, None keeps it. Not for a call that raises."""

    def arguments(self, call: OpenCall, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call by parameter name, in the order of the forward's signature."""
        key = id(call.module)
        if key not in self._signatures:
            self._signatures[key] = forward_signature(call.module)
        return named_arguments(self._signatures[key], args, kwargs)

    def repeats(self) -> dict[str, int]:
        """How many times each module has been called so far in this step, by path."""
        return {path: count for (step, path), count in self._repeats.items() if step == self.step}

    def resume(self, step: int, repeats: Mapping[str, int]) -> None:
        """Count the next outermost call as made in ``step`` after so many calls of each module."""
        self.step = step - 1
        self._repeats = {(step, path): count for path, count in repeats.items()}

    def open_call(self) -> OpenCall | None:
        """The innermost call that is running in this thread; None outside the model."""
        stack = self._stack()
        return stack[-1] if stack else None

    def innermost(self, error: BaseException) -> OpenCall | None:
        """The innermost call that raised ``error`` or what it was raised from; None: it arose outside the model."""
        # torch does not tell hooks of SystemExit and the like, so the calls that they ended are still open
        stack = self._stack()
        found = stack[-1] if stack else None
        for link in _chain(error):
            call = next((call for raised, call in self._raised if raised is link), None)
            if call is not None and (found is None or call.is_below(found)):
                found = call
        return found

    def unobserved(self) -> tuple[str, ...]:
        """Paths of modules that were not seen called although the module around them was, or that the run made."""
        return unobserved_modules(self.model, self._called)

    @contextmanager
    def hooked(self, *, wrapped: bool = False, below: torch.nn.Module | None = None) -> Iterator[None]:
        """Listen to every module; the hooks see what other hooks have changed and are removed at the end.

        Args:
            below: listen to this part of the model only.
            wrapped: listen around each module's ``forward`` itself, which also sees ``child.forward(x)``; what hooks
                of the user change in a result is not seen then.

        Raises:
            CaptureError: another thread is listening to the same model, or a forward cannot be wrapped.
        """
        undo: list[Undo] = []
        self._stack()  # the capturing thread is the first
        with _alone(self.model), prepared():
            try:
                for _, module in executed_modules(self.model if below is None else below):
                    (wrap if wrapped else hook)(module, self, undo)
                yield
            finally:
                for action in reversed(undo):
                    action()

    def enter(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A module is called."""
        with self._lock:
            return self.entering(self._opened(module), args, kwargs)

    def leave(self, module: torch.nn.Module, output: Any) -> Any:
        """A module has returned or raised."""
        with self._lock:
            stack = self._stack()
            if all(call.module is not module for call in stack):
                return None  # a hook of the user raised before ours could enter the call
            while (call := stack.pop()).module is not module:
                pass
            call.frame = None
            error = _handled()
            if error == call.handled:
                return self.leaving(call, output)
            if error[0] is not None and all(error[0] is not seen for seen, _ in self._raised):
                self._raised.append((error[0], call))
            return None

    def _stack(self) -> list[OpenCall]:
        return self._stacks.setdefault(threading.current_thread(), [])

    def _opened(self, module: torch.nn.Module) -> OpenCall:
        stack = self._stack()
        frame = _calling_frame()
        while stack and not _runs(stack[-1].frame, frame):
            stack.pop().frame = None  # torch does not tell of every exception that ends a call
        capturing = next(iter(self._stacks.values()))
        parent = stack[-1] if stack else capturing[-1] if capturing else None
        if parent is None:
            self.step += 1
        path = self.paths[id(module)]
        repeat = self._repeats.get((self.step, path), 0)
        self._repeats[self.step, path] = repeat + 1
        thread = list(self._stacks).index(threading.current_thread())
        call = OpenCall(self.entered, self.step, path, repeat, module, parent, _handled(), thread, frame)
        self.entered += 1
        self._called.add(id(module))
        stack.append(call)
        return call


_listening: dict[int, tuple[threading.Thread, int]] = {}
_listening_lock = threading.Lock()


@contextmanager
def _alone(model: torch.nn.Module) -> Iterator[None]:
    """Keep other threads from listening to a model that is being listened to: they would see each other's calls."""
    mine = threading.current_thread()
    with _listening_lock:
        thread, depth = _listening.get(id(model), (mine, 0))
        if thread is not mine:
            raise CaptureError(
                "the model is being captured in another thread, and each would record the other's calls",
                hint="capture it after that, or capture a copy of the model",
            )
        _listening[id(model)] = mine, depth + 1
    try:
        yield
    finally:
        with _listening_lock:
            if depth:
                _listening[id(model)] = mine, depth
            else:
                del _listening[id(model)]


def _handled() -> Handled:
    """The exception that is being handled, and how far it has come: one that is raised again has come further."""
    error = sys.exception()
    return error, None if error is None else error.__traceback__


def _calling_frame() -> FrameType | None:
    """The frame outside this package that calls a module."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_filename in _OWN_FILES:
        frame = frame.f_back
    return frame


def _runs(frame: FrameType | None, inner: FrameType | None) -> bool:
    """Whether ``inner`` was called, directly or not, from ``frame``."""
    while inner is not None and inner is not frame:
        inner = inner.f_back
    return inner is not None


def named_arguments(
    signature: inspect.Signature | None, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Arguments by parameter name in the signature's order; ``args.0`` and so on where there is no name."""
    bound = _bound(signature, args, kwargs)
    if signature is None or bound is None:
        return {**{f"args.{index}": value for index, value in enumerate(args)}, **kwargs}
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD and parameter.name in bound:
            bound.update(bound.pop(parameter.name))
    return bound


def _chain(error: BaseException) -> list[BaseException]:
    """An exception and those that it was raised from, the latest first."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return chain


def _bound(
    signature: inspect.Signature | None, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any] | None:
    try:
        return None if signature is None else dict(signature.bind(*args, **kwargs).arguments)
    except TypeError:
        return None


def forward_signature(module: torch.nn.Module) -> inspect.Signature | None:
    """The signature of a module's forward; None where it has none that Python can tell."""
    try:
        return inspect.signature(module.forward)
    except (TypeError, ValueError):
        return None

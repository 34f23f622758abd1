"""Follow a running model call by call: hooks on every module, taken off again whatever happens.

A model may run parts of itself in threads of its own: each thread has its own stack of open calls, and what another
thread than the capturing one calls counts as made from the call that is open there.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from porting.hooks.module_tree import executed_modules, unobserved_modules


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
        handled: the exception that was being handled when it was entered.
        thread: 0 for the capturing thread, then in the order in which threads make their first call.
    """

    index: int
    step: int
    path: str
    repeat: int
    module: torch.nn.Module
    parent: OpenCall | None
    handled: BaseException | None
    thread: int = 0

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
        self._stacks: dict[int, list[OpenCall]] = {}
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
            self._signatures[key] = _forward_signature(call.module)
        return named_arguments(self._signatures[key], args, kwargs)

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
        """Paths of modules that were not seen called although the module around them was."""
        return unobserved_modules(self.model, self._called)

    @contextmanager
    def hooked(self, *, wrap: bool = False) -> Iterator[None]:
        """Listen to every module; the hooks see what other hooks have changed and are removed at the end.

        Each hooked module takes one frame more, so the recursion limit is doubled: deep models still run.

        Args:
            wrap: listen around each module's ``forward`` itself, which also sees ``child.forward(x)``; what hooks of
                the user change in a result is not seen then.
        """
        undo: list[Callable[[], None]] = []
        limit = sys.getrecursionlimit()
        self._stack()  # the capturing thread is the first
        try:
            sys.setrecursionlimit(2 * limit)
            for _, module in executed_modules(self.model):
                undo += [self._wrap(module)] if wrap else self._hook(module)
            with eager():
                yield
        finally:
            for action in undo:
                action()
            sys.setrecursionlimit(limit)

    def _hook(self, module: torch.nn.Module) -> list[Callable[[], None]]:
        before = module.register_forward_pre_hook(self._enter, with_kwargs=True)
        after = module.register_forward_hook(self._leave, with_kwargs=True, always_call=True)
        return [before.remove, after.remove]

    def _wrap(self, module: torch.nn.Module) -> Callable[[], None]:
        forward, own = module.forward, "forward" in vars(module)

        @functools.wraps(forward)
        def watched(*args: Any, **kwargs: Any) -> Any:
            args, kwargs = self._enter(module, args, kwargs) or (args, kwargs)
            try:
                output = forward(*args, **kwargs)
            except BaseException:
                self._leave(module, args, kwargs, None)
                raise
            replaced = self._leave(module, args, kwargs, output)
            return output if replaced is None else replaced

        module.forward = watched
        return lambda: setattr(module, "forward", forward) if own else delattr(module, "forward")

    def _stack(self) -> list[OpenCall]:
        return self._stacks.setdefault(threading.get_ident(), [])

    def _enter(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with self._lock:
            call = self._opened(module)
            return self.entering(call, args, kwargs)

    def _opened(self, module: torch.nn.Module) -> OpenCall:
        stack = self._stack()
        capturing = next(iter(self._stacks.values()))
        parent = stack[-1] if stack else capturing[-1] if capturing else None
        if parent is None:
            self.step += 1
        path = self.paths[id(module)]
        repeat = self._repeats.get((self.step, path), 0)
        self._repeats[self.step, path] = repeat + 1
        thread = list(self._stacks).index(threading.get_ident())
        call = OpenCall(self.entered, self.step, path, repeat, module, parent, sys.exception(), thread)
        self.entered += 1
        self._called.add(id(module))
        stack.append(call)
        return call

    def _leave(self, module: torch.nn.Module, _: Any, __: Any, output: Any) -> Any:
        with self._lock:
            stack = self._stack()
            if all(call.module is not module for call in stack):
                return None  # a hook of the user raised before ours could enter the call
            while (call := stack.pop()).module is not module:
                pass
            error = sys.exception()
            if error is call.handled:
                return self.leaving(call, output)
            if error is not None and all(error is not seen for seen, _ in self._raised):
                self._raised.append((error, call))
            return None


@contextmanager
def eager() -> Iterator[None]:
    """Have every module called in Python: neither fused by torch's fast path nor compiled, where that is known."""
    fast = torch.backends.mha.get_fastpath_enabled()
    compiled = "torch._dynamo" in sys.modules
    stance = torch.compiler.set_stance("force_eager") if compiled else nullcontext()
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        with stance:
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


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


def _forward_signature(module: torch.nn.Module) -> inspect.Signature | None:
    try:
        return inspect.signature(module.forward)
    except (TypeError, ValueError):
        return None

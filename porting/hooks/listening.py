"""Listen to a run and note every call, with snapshots of the tensors that pass."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from porting.errors import CaptureError
from porting.hooks.recordable import why_not_recordable
from porting.hooks.selection import Selection
from porting.hooks.tracking import CallTracker, OpenCall
from porting.progress import Progress
from porting.runs import Inputs, Run
from porting.text import show
from porting.trace import Call, Failure, Leaf, ModuleInfo, Value, flatten
from porting.trace.apart import Untaken
from porting.trace.contents import Contents
from porting.trace.structure import Structure

RAISED = Value({"kind": "leaf"}, (Leaf("", type_name="nothing: it raised"),))
_NO_INPUTS = Value({"kind": "leaf"}, (Leaf("", type_name="left out: inputs were not asked for"),))


class Unwritable(BaseException):
    """Ends a run whose trace can no longer be written; no ``except Exception`` of the model stops it."""


class Listener(CallTracker):
    """Collects calls while the hooks are on; the tensors go to ``contents``."""

    def __init__(
        self, model: torch.nn.Module, contents: Contents, selection: Selection, inputs: bool, progress: Progress
    ) -> None:
        super().__init__(model)
        self._contents = contents
        self._selection = selection
        self._left_out = {"tensors": 0, "bytes": 0}
        self._with_inputs = inputs
        self._progress = progress
        self._calls: list[OpenCall] = []
        self._inputs: dict[int, Value] = {}
        self._outputs: dict[int, Value] = {}
        self._structures: dict[str, Structure] = {}
        self._leaves: dict[tuple[Leaf, str], Leaf] = {}
        self._broken: OSError | CaptureError | None = None

    def follow(self, run: Run | None, given: Inputs, *, wrap: bool = False) -> tuple[Any, BaseException | None]:
        """Run the model with the hooks on: what it returned, or what it raised.

        Raises:
            OSError: the disk refused a tensor.
            CaptureError: a call could not be recorded for a reason of porting's own.
        """
        fresh = given.fresh()
        result: Any = None
        failure: BaseException | None = None
        with self.hooked(wrapped=wrap):
            try:
                result = run(self.model, fresh) if run else fresh.forward(self.model)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # asyncio's CancelledError is no Exception
                failure = error
        self.require_whole()  # whatever became of the exception that ended the run
        return result, failure

    def require_whole(self) -> None:
        """Raise what kept a call from being recorded, if anything did."""
        if self._broken is not None:
            raise self._broken

    def entering(self, call: OpenCall, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note the call, and its arguments as they are now."""
        self._calls.append(call)
        if self._with_inputs:
            self._inputs[call.index] = self.noted(call, lambda: self.arguments(call, args, kwargs))

    def leaving(self, call: OpenCall, output: Any) -> None:
        """Note what the call returned, as it is now."""
        self._outputs[call.index] = self.noted(call, lambda: output)
        self._progress("running", len(self._outputs), len(self.paths))

    def value(self, value: Any, *, selected: bool = True) -> Value:
        """Take a value apart and snapshot its tensors."""
        structure, leaves = flatten(value)
        structure = self._structures.setdefault(json.dumps(structure), structure)
        return Value(structure, tuple(self._shared(self._leaf(name, leaf, selected)) for name, leaf in leaves))

    def _shared(self, leaf: Leaf) -> Leaf:
        """The same leaf, if it was met before: a cache is an argument of every layer in every step."""
        return self._leaves.setdefault((leaf, repr(leaf.value)), leaf)

    def noted(self, call: OpenCall, value: Callable[[], Any]) -> Value:
        """Snapshot what passes a call, if it is selected; modes of the user do not see what that computes.

        Raises:
            Unwritable: the disk refuses, or it cannot be recorded; `require_whole` says why.
        """
        if self._broken is not None:
            return RAISED
        try:
            selected = self._selection.takes(call.path, type(call.module).__name__)
            with unseen():
                return self.value(value(), selected=selected)
        except OSError as error:
            self._broken = error
        except Exception as error:
            self._broken = CaptureError(
                f"what passes {show(call.path) or 'the model itself'} cannot be recorded: "
                f"{type(error).__name__}: {show(error, 500)}",
                hint=f"leave it out: porting capture --skip {show(call.path) or '...'}",
            )
        raise Unwritable from self._broken

    def finished(self) -> tuple[Call, ...]:
        """The calls in order of entry."""
        return tuple(
            Call(
                index=call.index,
                step=call.step,
                path=call.path,
                repeat=call.repeat,
                class_name=type(call.module).__name__,
                parent=call.parent.index if call.parent else None,
                inputs=self._inputs.get(call.index, _NO_INPUTS),
                outputs=self._outputs.get(call.index, RAISED),
                thread=call.thread,
            )
            for call in self._calls
        )

    def described(self, modules: Mapping[str, ModuleInfo]) -> Mapping[str, ModuleInfo]:
        """The module table, after the run."""
        return modules

    def left_out(self) -> dict[str, Any] | None:
        """What was not recorded on purpose, as it stands in a trace; None if everything was recorded."""
        return None if self._selection == Selection() else {**self._selection.to_dict(), **self._left_out}

    def failure(self, error: BaseException) -> Failure:
        """Where the run raised: the innermost call that did."""
        call = self.innermost(error)
        path = call.path if call else ""
        name = type(call.module).__name__ if call else ""
        return Failure(path, name, f"{type(error).__name__}: {show(error, 1000)}")

    def _leaf(self, name: str, value: Any, selected: bool) -> Leaf:
        if isinstance(value, torch.Tensor):
            return self._tensor_leaf(name, value, selected)
        if isinstance(value, float) and not math.isfinite(value):
            return Leaf(name, value=str(value))
        if value is None or isinstance(value, (bool, int, float, str)):
            return Leaf(name, value=value)
        if isinstance(value, Untaken):
            return Leaf(name, type_name=value.why)
        return Leaf(name, type_name=type(value).__name__)

    def _tensor_leaf(self, name: str, tensor: torch.Tensor, selected: bool) -> Leaf:
        reason = why_not_recordable(tensor)
        if reason:
            return Leaf(name, type_name=f"not recorded: {reason}")
        dtype, shape = str(tensor.dtype).removeprefix("torch."), tuple(map(int, tensor.shape))
        if not selected:
            return self._omitted(Leaf(name, dtype, shape, type_name="left out: not selected"), tensor)
        try:
            key = self._contents.put(tensor)
        except (RuntimeError, NotImplementedError, MemoryError) as error:
            return Leaf(name, dtype, shape, type_name=f"not recorded: {show(error, 200)}")
        if key is None:
            return self._omitted(Leaf(name, dtype, shape, type_name="left out: the limit is reached"), tensor)
        strides = None if tensor.is_contiguous() else tuple(map(int, tensor.stride()))
        return Leaf(name, dtype, shape, strides, key)

    def _omitted(self, leaf: Leaf, tensor: torch.Tensor) -> Leaf:
        self._left_out["tensors"] += 1
        self._left_out["bytes"] += tensor.numel() * tensor.element_size()
        return leaf


@contextmanager
def unseen() -> Iterator[None]:
    """Compute outside the modes that are on: those of the user would see it, and might change it."""
    with ExitStack() as stack:
        stack.enter_context(torch._C.DisableTorchFunction())
        if torch._C._len_torch_dispatch_stack():
            stack.enter_context(_disable_current_modes())
        yield

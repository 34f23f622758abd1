"""A tensor computed anew, while the port runs, from others that the culprit has at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, tensors_of
from porting.diagnosis.scene import Gap
from porting.diagnosis.trial import Applied
from porting.hooks.tracking import forward_signature, named_arguments

Known = Mapping[str, torch.Tensor]
Compute = Callable[[Known], torch.Tensor]


def recomputed(case: Case, gap: Gap, compute: Compute) -> Applied:
    """Put ``compute(known)`` in the place of the tensor at a gap; ``known`` is named as by `Case.known`."""
    return partial(_recomputed, case, gap, compute)


@contextmanager
def _recomputed(case: Case, gap: Gap, compute: Compute) -> Iterator[None]:
    known: dict[str, torch.Tensor] = {}
    children = {child.path: child.module for child in case.moment(gap).children}
    inner, signature = case.module.forward, forward_signature(case.module)

    turn, seen = _turn(case, gap), [0]

    def run(*args: Any, **kwargs: Any) -> Any:
        known.clear()
        seen[0] = 0
        known.update({f"parameter {n}": t.detach() for n, t in case.module.named_parameters(recurse=False)})
        known.update({f"buffer {n}": t for n, t in case.module.named_buffers(recurse=False)})
        arguments = tensors_of(named_arguments(signature, args, kwargs))
        known.update({f"argument {name}": tensor for name, tensor in arguments.items()})
        # the children are watched from here on only, so that what others put in the place of their results is seen
        with ExitStack() as stack:
            for path, module in children.items():
                stack.enter_context(_watched(path, module, known))
            return inner(*args, **kwargs)

    def change(tensor: torch.Tensor) -> torch.Tensor:
        seen[0] += 1
        return compute(known).to(tensor.dtype) if turn in (None, seen[0] - 1) else tensor

    place = case.model.get_submodule(gap.path)
    exchange = changes.output if gap.where == "output" else changes.argument
    with changes.forward(case.module, run), exchange(place, change, gap.leaf):
        yield


@contextmanager
def _watched(path: str, module: torch.nn.Module, known: dict[str, torch.Tensor]) -> Iterator[None]:
    signature = forward_signature(module)

    def entered(_: torch.nn.Module, args: Any, kwargs: Any) -> None:
        for name, tensor in tensors_of(named_arguments(signature, args, kwargs)).items():
            known[f"input of {path} ({name})"] = tensor

    def left(_: torch.nn.Module, __: Any, result: Any) -> None:
        for name, tensor in tensors_of(result).items():
            known[f"output of {path} ({name})" if name else f"output of {path}"] = tensor

    handles = (module.register_forward_pre_hook(entered, with_kwargs=True), module.register_forward_hook(left))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _turn(case: Case, gap: Gap) -> int | None:
    """Which of its calls by the culprit the gap's module is in; None if the culprit does not call it."""
    calls = [child.key for child in case.moment(gap).children if child.path == gap.path]
    return calls.index(gap.place[0]) if gap.place[0] in calls else None

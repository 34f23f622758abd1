"""Leave a model and the process as they were found, also when a run raises or is interrupted."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import accumulate

import numpy as np
import torch
from torch import nn

from porting.errors import RestoreError
from porting.hooks.holding import held_items, undo
from porting.hooks.keeping import KeptTensor, copyable
from porting.hooks.module_tree import walk
from porting.text import show

COPIED_BYTES = 64 << 20
"""Most bytes of parameters that are copied before a run: the smallest ones first, as far as they go."""

Undo = tuple[str, Callable[[], object]]
"""What is put back, in words, and what does it."""


@contextmanager
def preserved(model: nn.Module) -> Iterator[None]:
    """Put back what a run changes in a model, the random state of Python, NumPy and torch, and the print options.

    - Modules get back their class, mode, attributes, hooks and parts; lists, dictionaries, sets and deques among the
      attributes, also nested ones, their items. Other mutable objects are put back as the objects they are.
    - Tensors get back their memory, flags and gradients. Buffers, tensors among the attributes, the weights of
      embeddings that renormalise them (``max_norm``) and parameters up to `COPIED_BYTES` in all also get back their
      content, for which they are copied. Of a larger parameter it is only noted whether it was written into.
    - Random generators among the attributes get back their state.

    Raises:
        RestoreError: something could not be put back; all else was. If the run raised, that exception goes on
            instead, with a note that says the same.
    """
    with _putting_back([*_process(), *_model(model)]):
        yield


@contextmanager
def preserved_process() -> Iterator[None]:
    """Put back the random state of Python, NumPy and torch, and the print options.

    Raises:
        RestoreError: as `preserved` does.
    """
    with _putting_back(list(_process())):
        yield


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch; used inside `preserved` or `preserved_process`."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def _putting_back(undos: list[Undo]) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if lost := _put_back(undos):
            error.add_note(_text(lost))
        raise
    if lost := _put_back(undos):
        raise RestoreError(_text(lost), hint="build the model anew before it is used again")


def _put_back(undos: Iterable[Undo]) -> list[str]:
    """Put everything back; in words what could not be."""
    lost = []
    for name, action in undos:
        try:
            action()
        except Exception as error:
            lost.append(f"{show(name)}: {show(error, 200)}")
    return lost


def _text(lost: list[str]) -> str:
    more = f"; and {len(lost) - 6} more" if len(lost) > 6 else ""
    return f"the run changed what could not be put back: {'; '.join(lost[:6])}{more}"


def _process() -> Iterator[Undo]:
    yield "Python's random state", partial(random.setstate, random.getstate())
    yield "NumPy's random state", partial(np.random.set_state, np.random.get_state())
    yield "torch's random state", partial(torch.set_rng_state, torch.get_rng_state())
    for device in range(torch.cuda.device_count()):
        state = torch.cuda.get_rng_state(device)
        yield f"the random state of cuda:{device}", partial(torch.cuda.set_rng_state, state, device)
    printing = dict(vars(torch._tensor_str.PRINT_OPTS))
    yield "torch's print options", partial(vars(torch._tensor_str.PRINT_OPTS).update, printing)
    yield "NumPy's print options", partial(np.set_printoptions, **np.get_printoptions())


def _model(model: nn.Module) -> Iterator[Undo]:
    """Classes and attributes before tensors: a lazy module that the run completed becomes a lazy one first."""
    modules = list(walk(model))
    for path, module in modules:
        restore = partial(object.__setattr__, module, "__class__", type(module))
        yield f"the class of {path or 'the model itself'}", restore
    tensors: dict[int, tuple[str, torch.Tensor]] = {}
    for name, item in held_items(modules):
        if not isinstance(item, torch.Tensor):
            yield name or "the model itself", undo(item)
            continue
        tensors[id(item)] = name, item
        if item.is_leaf and item.grad is not None:
            tensors[id(item.grad)] = f"the gradient of {name}", item.grad
    large = _large([tensor for _, tensor in tensors.values()], modules)
    for key, (name, tensor) in tensors.items():
        yield name, KeptTensor(tensor, content=key not in large and copyable(tensor)).put_back


def _large(tensors: Iterable[torch.Tensor], modules: Iterable[tuple[str, nn.Module]]) -> set[int]:
    """Which parameters and gradients are too large to be copied, by ``id``."""
    renormalising = (nn.Embedding, nn.EmbeddingBag)
    written = {id(each.weight) for _, each in modules if isinstance(each, renormalising) and each.max_norm is not None}
    weights = [tensor for tensor in tensors if isinstance(tensor, nn.Parameter) and id(tensor) not in written]
    gradients = [tensor.grad for tensor in weights if tensor.grad is not None]
    by_size = sorted(filter(copyable, [*weights, *gradients]), key=lambda tensor: tensor.nbytes)
    totals = accumulate(tensor.nbytes for tensor in by_size)
    return {id(tensor) for tensor, total in zip(by_size, totals, strict=True) if total > COPIED_BYTES}

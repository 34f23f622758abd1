"""Leave a model and the process as they were found, also when a run raises or is interrupted."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from porting.hooks.module_tree import walk


@contextmanager
def preserved(model: torch.nn.Module) -> Iterator[None]:
    """Restore every module's attributes, and the random state of Python, NumPy and torch.

    Buffers (running statistics, counters) and tensors held as plain attributes get their contents back, too. Other
    mutable attributes, such as a list that a forward appends to, are put back as the objects they are.
    """
    modules = [_Attributes(module) for _, module in walk(model)]
    python_state, numpy_state = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count())
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        for attributes in modules:
            attributes.restore()


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch; used inside `preserved`."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


class _Attributes:
    """What a module holds, with copies of its tensors that are not parameters."""

    def __init__(self, module: torch.nn.Module) -> None:
        places: list[dict[str, Any]] = [vars(module), module._buffers, module._parameters, module._modules]
        self.held = [(place, dict(place)) for place in places]
        tensors = [item for place in places[:2] for item in place.values() if _is_copied(item)]
        self.contents = [(tensor, tensor.detach().clone()) for tensor in tensors]

    def restore(self) -> None:
        """Put everything back, in its order."""
        for place, items in self.held:
            place.clear()
            place.update(items)
        with torch.no_grad():
            for tensor, content in self.contents:
                if not torch.equal(tensor, content):
                    tensor.copy_(content)


def _is_copied(item: Any) -> bool:
    if not isinstance(item, torch.Tensor) or item.layout != torch.strided:
        return False
    return not (item.is_meta or item.is_quantized or item.is_nested)

"""What modules hold besides their parts: containers, tensors and random generators, and how they are put back."""

from __future__ import annotations

import random
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

CONTAINERS = (dict, OrderedDict, defaultdict, list, set, deque)
"""What is looked into and put back, in just these classes: others may have rules of their own."""
GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
"""What draws random numbers."""
OF_TORCH = ("_parameters", "_buffers", "_modules")
"""Where torch keeps what is an attribute to the user."""

Undo = Callable[[], object]


def held_items(modules: Iterable[tuple[str, torch.nn.Module]]) -> Iterator[tuple[str, Any]]:
    """The containers, tensors and random generators that modules hold, each once, with a name.

    Args:
        modules: by path.
    """
    waiting: list[tuple[str, Any]] = [(path, vars(module)) for path, module in modules]
    seen: set[int] = set()
    while waiting:
        name, item = waiting.pop()
        if id(item) in seen or not _is_noted(item):
            continue
        seen.add(id(item))
        if type(item) is not tuple:
            yield name, item
        if type(item) is tuple or type(item) in CONTAINERS:
            pairs = item.items() if isinstance(item, dict) else enumerate(item)
            waiting += [(_joined(name, key), part) for key, part in pairs]


def undo(item: Any) -> Undo:
    """What puts a container or a random generator back to how it is now."""
    if isinstance(item, dict):
        return partial(_refill, item, item.update, dict(item))
    if isinstance(item, set):
        return partial(_refill, item, item.update, list(item))
    if isinstance(item, (list, deque)):
        return partial(_refill, item, item.extend, list(item))
    if isinstance(item, np.random.Generator):
        return partial(setattr, item.bit_generator, "state", item.bit_generator.state)
    if isinstance(item, random.Random):
        return partial(item.setstate, item.getstate())
    return partial(item.set_state, item.get_state())


def _is_noted(item: Any) -> bool:
    return type(item) is tuple or type(item) in CONTAINERS or isinstance(item, (torch.Tensor, *GENERATORS))


def _refill(container: Any, fill: Callable[[Any], object], items: Any) -> None:
    container.clear()
    fill(items)


def _joined(name: str, key: object) -> str:
    return name if key in OF_TORCH else f"{name}.{key}" if name else str(key)

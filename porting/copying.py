"""Copies of what a forward is given, with every tensor changed on the way."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_map

from porting.trace.structure import flatten


def copied(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """A copy of ``value`` with every tensor changed, also those that objects hold, such as caches.

    A tensor given twice is one tensor again. Modules and functions are not copied.
    """
    copies: dict[int, Any] = {}

    def leaf_copied(leaf: Any) -> Any:
        if id(leaf) not in copies:
            copies[id(leaf)] = change(leaf) if isinstance(leaf, torch.Tensor) else _object_copied(leaf, change)
        return copies[id(leaf)]

    return tree_map(leaf_copied, value)


def _object_copied(leaf: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    if isinstance(leaf, type) or callable(leaf) or not hasattr(leaf, "__dict__"):
        return leaf
    held = {id(item): change(item.detach()) for _, item in flatten(leaf)[1] if isinstance(item, torch.Tensor)}
    return copy.deepcopy(leaf, held)

"""Copies of what a forward is given, with every tensor changed on the way."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_map

from porting.trace.apart import within


def copied(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """A copy of ``value`` with every tensor changed, also those that objects hold, such as caches.

    A tensor given twice is one tensor again, and one that requires a gradient still does. Modules, functions and what
    cannot be copied, as a lock, are not copied, wherever they are held.
    """
    copies: dict[int, Any] = {}
    alive: list[Any] = []  # what ``copies`` knows by ``id``

    def leaf_copied(leaf: Any) -> Any:
        if isinstance(leaf, type) or not (isinstance(leaf, torch.Tensor) or _is_object(leaf)):
            return leaf
        if id(leaf) not in copies:
            held = [item for item in within(leaf) if id(item) not in copies]
            alive.extend(held)
            copies.update({id(item): _changed(item, change) for item in held if isinstance(item, torch.Tensor)})
            copies.update({id(item): item for item in held if _stays(item)})
        return _object_copied(leaf, copies)

    return tree_map(leaf_copied, value)


def _changed(tensor: torch.Tensor, change: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    detached = tensor.detach()
    changed = change(detached)
    if changed is detached:
        return tensor
    return changed.requires_grad_() if tensor.requires_grad and changed.is_floating_point() else changed


def _is_object(leaf: Any) -> bool:
    return hasattr(leaf, "__dict__") and not callable(leaf)


def _stays(item: Any) -> bool:
    """Whether an object that is held is handed on as itself."""
    if isinstance(item, torch.Tensor):
        return False
    try:
        return isinstance(item, torch.nn.Module) or not (hasattr(item, "__deepcopy__") or item.__reduce_ex__(4))
    except Exception:
        return True


def _object_copied(leaf: Any, copies: dict[int, Any]) -> Any:
    try:
        return copy.deepcopy(leaf, copies)
    except Exception:
        return leaf

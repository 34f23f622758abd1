"""Put tensors in the place of others inside arguments and outputs, leaving the containers as they are."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch.utils._pytree import tree_map

from porting.trace import flatten


def copied(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """A copy of ``value`` with every tensor changed, also those that objects hold, such as caches."""

    def leaf_copied(leaf: Any) -> Any:
        if isinstance(leaf, torch.Tensor):
            return change(leaf)
        held = {id(item): change(item.detach()) for _, item in flatten(leaf)[1] if isinstance(item, torch.Tensor)}
        return copy.deepcopy(leaf, held) if held else leaf

    return tree_map(leaf_copied, value)


def substituted(value: Any, by_id: Mapping[int, torch.Tensor]) -> Any:
    """``value`` with every tensor whose ``id`` is in ``by_id`` exchanged.

    Tuples, lists, mappings (``ModelOutput`` among them), named tuples and dataclasses are copied; other objects, such
    as caches, are left alone: they hold state that the run goes on to use.
    """
    if isinstance(value, torch.Tensor):
        return by_id.get(id(value), value)
    if isinstance(value, Mapping):
        return _mapping(value, by_id)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(substituted(item, by_id) for item in value))
    if isinstance(value, (list, tuple)):
        return type(value)([substituted(item, by_id) for item in value])
    if is_dataclass(value) and not isinstance(value, type):
        changed = copy.copy(value)
        for field in fields(value):
            object.__setattr__(changed, field.name, substituted(getattr(value, field.name), by_id))
        return changed
    return value


def _mapping(value: Mapping[Any, Any], by_id: Mapping[int, torch.Tensor]) -> Mapping[Any, Any]:
    items = {key: substituted(item, by_id) for key, item in value.items()}
    if type(value) is dict:
        return items
    changed = copy.copy(value)
    for key, item in items.items():
        changed[key] = item  # type: ignore[index]
    return changed

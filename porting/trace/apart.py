"""What has parts, and which: one level of a nested value.

Tuples, lists, deques, the values of dictionaries, mappings (``ModelOutput`` among them), named tuples, dataclasses and
plain objects that lead to tensors (caches) have parts. Sets have no order, and are whole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, ValuesView
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch

from porting.text import show

Parts = tuple[str, list[str], list[Any]]
"""Kind of structure, keys and items."""
SEQUENCES = (list, tuple, deque, ValuesView)
SCALARS = (str, bytes, int, float)
WHOLE = (torch.Tensor, torch.nn.Module, torch.Size, type, *SCALARS)


@dataclass(frozen=True, slots=True)
class Untaken:
    """Stands for a value that was not taken apart.

    Attributes:
        why: in words, as the type of a leaf.
    """

    why: str


def parts_of(value: Any) -> Parts | Untaken | None:
    """The parts of a value; None if it is whole, and why not if its own code raises."""
    try:
        return _parts(value)
    except Exception as error:
        return Untaken(f"not recorded: {type(value).__name__} raised {type(error).__name__}: {show(error, 200)}")


def is_plain_object(value: Any) -> bool:
    """Whether a value that has parts is neither a container nor a dataclass."""
    return not isinstance(value, (Mapping, *SEQUENCES)) and not is_dataclass(value)


def within(value: Any, *known: Any) -> Iterator[Any]:
    """What a value leads to at any depth, itself first, each object once; numbers and texts are passed over.

    Args:
        value: anything; tensors, modules, classes and functions are not looked into.
        known: is passed over, too.
    """
    seen = {id(item): item for item in known}
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if id(item) not in seen and not isinstance(item, SCALARS):
            seen[id(item)] = item
            yield item
            waiting += () if isinstance(item, WHOLE) else _below(item)


def _parts(value: Any) -> Parts | None:
    if value is None or isinstance(value, WHOLE):
        return None
    if isinstance(value, Mapping):
        return "dict", _names(value), [value[key] for key in value]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return "tuple", list(value._fields), list(value)
    if isinstance(value, SEQUENCES):
        items = list(value)
        return "tuple" if isinstance(value, tuple) else "list", [str(index) for index in range(len(items))], items
    if is_dataclass(value):
        names = [field.name for field in fields(value) if hasattr(value, field.name)]
        return "dict", names, [getattr(value, name) for name in names]
    if callable(value) or not hasattr(value, "__dict__"):
        return None
    held = {key: item for key, item in vars(value).items() if _leads_to_tensor(item, value)}
    return ("dict", list(held), list(held.values())) if held else None


def _names(keys: Iterable[Any]) -> list[str]:
    """Keys as text; one that reads like another also says its type."""
    taken = {key for key in keys if type(key) is str}
    names = []
    for key in keys:
        name = str(key)
        while type(key) is not str and name in taken:
            name += f" ({type(key).__name__})"
        taken.add(name)
        names.append(name)
    return names


def _leads_to_tensor(value: Any, owner: Any) -> bool:
    return any(isinstance(item, torch.Tensor) for item in within(value, owner))


def _below(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return [value[key] for key in value]
    if isinstance(value, SEQUENCES):
        return value
    return () if callable(value) else getattr(value, "__dict__", {}).values()

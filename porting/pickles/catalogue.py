"""The state dict in what a pickle describes: found, chosen if there are several, and listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from porting.pickles.standins import RefusedError, Storage, Tensor

IsTensor = Callable[[Any], bool]

MAX_DEPTH = 1000
"""Python itself writes nothing that is nested more deeply."""
MAX_DESCENT = 8
MOST_NAMED = 20
USUAL = ("state_dict", "model_state_dict", "model", "module", "params", "params_ema", "net", "weights")
"""Where training code keeps a model's weights beside other things."""


class Chosen(NamedTuple):
    """A state dict in what a file holds.

    Attributes:
        path: the keys that lead to it.
        beside: the other keys with tensors that were passed by.
        tensors: by name.
        left_out: the keys of what is in it and is no tensor.
    """

    path: list[str]
    beside: list[str]
    tensors: dict[str, Any]
    left_out: list[str]


def catalogue(described: Any) -> dict[str, Any]:
    """List the tensors of the state dict that a pickle describes, in a form for JSON.

    Returns:
        The fields of `Chosen`; ``tensors`` has one row for each, of its name, dtype, shape, strides, storage's
        key, offset, conjugation and negation.

    Raises:
        RefusedError: as `choose`; or it is nested more deeply than Python would write it.
    """
    _check_depth(described)
    chosen = choose(described, lambda value: isinstance(value, Tensor))
    rows = [_row(name, tensor) for name, tensor in chosen.tensors.items()]
    return {**chosen._asdict(), "tensors": rows}


def choose(held: Any, is_tensor: IsTensor) -> Chosen:
    """Find the state dict: the mapping itself, or the one that is meant inside it.

    Raises:
        RefusedError: there is none, or several and none of the usual name.
    """
    if is_tensor(held):
        raise RefusedError("it holds one tensor without a name, not a state dict")
    path: list[str] = []
    beside: list[str] = []
    while not any(is_tensor(value) for value in _items(held).values()):
        inner = {key: value for key, value in _items(held).items() if _holds_tensors(value, is_tensor)}
        path.append(_meant(inner, path))
        beside += [str(other) for other in inner if other != path[-1]]
        held = inner[path[-1]]
    kept = {key: value for key, value in held.items() if is_tensor(value)}
    if not all(type(key) is str for key in kept):
        raise RefusedError("the names of its tensors are not text")
    left_out = [str(key) for key in held if key not in kept]
    return Chosen(path, beside[:MOST_NAMED], kept, left_out[:MOST_NAMED])


def storages(found: Iterable[Storage]) -> list[tuple[str, str, int]]:
    """The storages that a file must hold: key, dtype and number of elements of each, as often as they differ."""
    return list({(storage.key, storage.dtype, storage.numel): None for storage in found})


def _row(name: str, tensor: Tensor) -> list[Any]:
    offset = tensor.offset + tensor.storage.base
    key = tensor.storage.key
    return [name, tensor.dtype, tensor.shape, tensor.stride, key, offset, tensor.conj, tensor.neg]


def _meant(inner: Mapping[Any, Any], path: list[str]) -> str:
    """The key of the mapping that holds the model's weights."""
    usual = [key for key in USUAL if key in inner]
    candidates = list(inner) if len(inner) == 1 else usual
    where = f" under {'.'.join(path)!r}" if path else ""
    if not inner or len(path) >= MAX_DESCENT:
        raise RefusedError(f"it holds no state dict{where}: no mapping of names to tensors")
    if len(candidates) != 1 or type(candidates[0]) is not str:
        listing = ", ".join(repr(str(key)[:60]) for key in list(inner)[:8])
        raise RefusedError(
            f"it holds tensors under several keys{where}, and which are the model's is not plain: {listing}"
        )
    return candidates[0]


def _items(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _holds_tensors(value: Any, is_tensor: IsTensor) -> bool:
    """Whether a mapping holds tensors, itself or in mappings within it."""
    seen: set[int] = set()
    level = [value]
    for _ in range(MAX_DESCENT):
        mappings = [each for each in level if isinstance(each, Mapping) and id(each) not in seen]
        seen.update(map(id, mappings))
        level = [inner for mapping in mappings for inner in mapping.values()]
        if any(is_tensor(inner) for inner in level):
            return True
    return False


def _check_depth(described: Any) -> None:
    seen: set[int] = set()
    level: list[Any] = [described]
    for _ in range(MAX_DEPTH):
        following: list[Any] = []
        for value in level:
            if isinstance(value, list | tuple | dict) and id(value) not in seen:
                seen.add(id(value))
                following += value.values() if isinstance(value, dict) else value
        if not following:
            return
        level = following
    raise RefusedError("it is nested too deeply")

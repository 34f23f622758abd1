"""The original's inputs of a probe, made from the port's as the given ones correspond."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch

from porting.inputs.roles import constant, counts
from porting.runs import Inputs
from porting.text import show
from porting.trace import flatten

Change = Callable[[torch.Tensor], torch.Tensor]
Maybe = Callable[[torch.Tensor], torch.Tensor | None]

AXES: tuple[tuple[int, ...], ...] = ((1, 0), (1, 0, 2), (0, 2, 1), (0, 2, 3, 1), (0, 3, 1, 2))
"""Orders of axes in which the same content is given: time first, channels last."""


class Underivable(Exception):  # noqa: N818 - what it says of a probe, not an error of the program
    """An input of the original corresponds to none of the port's; the text says which."""


def derive(
    given: Inputs, tensors: Mapping[str, torch.Tensor], made: Mapping[str, torch.Tensor], added: set[str]
) -> Inputs:
    """The original's inputs.

    Args:
        given: the original's own.
        tensors: the port's given tensors by name.
        made: the port's tensors of the probe.
        added: names in ``made`` that were not given, to be added here, too.

    Raises:
        Underivable: a tensor of the original's is not found among the port's.
    """
    named = {name: _derived(name, value, tensors, made) for name, value in given.named().items()}
    args = tuple(named.pop(f"args.{index}") for index in range(len(given.args)))
    return Inputs(args, {**named, **{name: made[name].to(_device(given)) for name in added}})


def filled(inputs: Inputs, made: Mapping[str, torch.Tensor]) -> Inputs:
    """Inputs with the tensors of some names exchanged or added, on the device of the given ones."""
    device = _device(inputs)
    named = {**inputs.named(), **{name: tensor.to(device) for name, tensor in made.items()}}
    args = tuple(named.pop(f"args.{index}") for index in range(len(inputs.args)))
    return Inputs(args, named)


def _device(given: Inputs) -> torch.device:
    return next((v.device for v in given.named().values() if isinstance(v, torch.Tensor)), torch.device("cpu"))


def source_of(name: str, value: torch.Tensor, tensors: Mapping[str, torch.Tensor]) -> tuple[str, Change] | None:
    """The port's input that an original's tensor is made from, and how; None if there is none."""
    order = sorted(tensors, key=lambda other: other != name)
    for change in _changes(value):
        for other in order:
            candidate = change(tensors[other])
            if candidate is not None and _equal(candidate, value):
                return other, partial(_changed, change, value)
    return None


def _derived(name: str, value: Any, tensors: Mapping[str, torch.Tensor], made: Mapping[str, torch.Tensor]) -> Any:
    if not isinstance(value, torch.Tensor):
        if any(isinstance(leaf, torch.Tensor) for _, leaf in flatten(value)[1]):
            raise Underivable(f"the original's input {show(name)} holds tensors within it")
        return value
    found = source_of(name, value, tensors)
    if found:
        return found[1](made[found[0]])
    shape = _shape_now(value, tensors, made)
    if shape is not None and counts(value):
        return (
            torch.arange(int(value.reshape(-1)[0]), int(value.reshape(-1)[0]) + shape[-1])
            .expand(shape)
            .clone()
            .to(value)
        )
    if shape is not None and constant(value):
        return torch.full(shape, value.reshape(-1)[0].item(), dtype=value.dtype, device=value.device)
    raise Underivable(
        f"the original's input {show(name)} is none of the port's, so it cannot be made for other inputs"
    )


def _shape_now(
    value: torch.Tensor, tensors: Mapping[str, torch.Tensor], made: Mapping[str, torch.Tensor]
) -> tuple[int, ...] | None:
    """The new shape of a tensor that has the shape of one of the port's, or the length of one alone."""
    for name, tensor in tensors.items():
        if value.shape == tensor.shape:
            return tuple(made[name].shape)
        if value.dim() and tensor.dim() > 1 and value.numel() == value.shape[-1] == tensor.shape[1]:
            return (*value.shape[:-1], made[name].shape[1])
    return None


def _changes(value: torch.Tensor) -> list[Maybe]:
    """Ways in which a tensor of the port may be given to the original, the plainest first."""
    ones = [axis for axis, size in enumerate(value.shape) if size == 1]
    orders: list[Maybe] = [partial(_permuted, axes) for axes in AXES]
    return [_itself, *orders, partial(_with_ones, ones, value.dim()), _without_ones, _negated, _lengths]


def _itself(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


def _permuted(axes: tuple[int, ...], tensor: torch.Tensor) -> torch.Tensor | None:
    return tensor.permute(axes) if tensor.dim() == len(axes) else None


def _negated(tensor: torch.Tensor) -> torch.Tensor | None:
    return ~tensor.bool() if _binary(tensor) else None


def _lengths(tensor: torch.Tensor) -> torch.Tensor | None:
    return tensor.sum(-1) if _binary(tensor) else None


def _with_ones(ones: list[int], dims: int, tensor: torch.Tensor) -> torch.Tensor | None:
    if not ones or tensor.dim() + len(ones) != dims:
        return None
    for axis in ones:
        tensor = tensor.unsqueeze(axis)
    return tensor


def _without_ones(tensor: torch.Tensor) -> torch.Tensor | None:
    return tensor.squeeze(1) if tensor.dim() == 3 and tensor.shape[1] == 1 else None


def _binary(tensor: torch.Tensor) -> bool:
    whole = tensor.dim() == 2 and not tensor.is_floating_point()
    return whole and not tensor.is_complex() and bool(((tensor == 0) | (tensor == 1)).all())


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and bool((one.cpu().double() == other.cpu().double()).all())


def _changed(change: Maybe, like: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
    changed = change(tensor)
    if changed is None:
        raise Underivable("the generated inputs cannot be given to the original as the given ones are")
    return changed.to(like).contiguous()

"""The tensors of a live model that can be given new values: parameters and float buffers of its state, each once."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from porting.hooks.module_table import owned_tensors
from porting.hooks.module_tree import walk
from porting.hooks.recordable import why_not_recordable


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """A tensor of a model.

    Attributes:
        path: of the module that owns it.
        name: in that module.
        kind: as in `porting.trace.ParameterInfo`.
        tensor: the live tensor.
        module: the owner.
    """

    path: str
    name: str
    kind: str
    tensor: torch.Tensor
    module: torch.nn.Module

    @property
    def full(self) -> str:
        """Its name in the model."""
        return f"{self.path}.{self.name}" if self.path else self.name

    @property
    def level(self) -> bool:
        """Whether it holds one value throughout, which tells it from nothing."""
        flat = self.tensor.detach().reshape(-1)
        return bool((flat == flat[0]).all())


def slots_of(model: torch.nn.Module) -> tuple[list[Slot], list[tuple[str, str]]]:
    """The tensors that can be given new values, and name and reason of those that are left alone.

    A tensor that is tied is listed once, so that it stays tied.
    """
    seen: set[tuple[object, ...]] = set()
    found: list[Slot] = []
    left: list[tuple[str, str]] = []
    for path, module in walk(model):
        for name, kind, tensor in owned_tensors(module):
            slot = Slot(path, name, kind, tensor, module)
            if not tensor.is_floating_point() or not tensor.numel():
                continue
            why = _why_left(slot)
            if why:
                left.append((slot.full, why))
            elif (place := (tensor.device, tensor.data_ptr())) not in seen:
                seen.add(place)
                found.append(slot)
    return found, left


def _why_left(slot: Slot) -> str:
    if why_not_recordable(slot.tensor):
        return why_not_recordable(slot.tensor) or ""
    if slot.kind == "non-persistent buffer":
        return "is computed, not loaded"
    if slot.kind == "buffer" and (slot.tensor.numel() == 1 or _is_mask(slot.tensor)):
        return "is a flag or a mask"
    return ""


def _is_mask(tensor: torch.Tensor) -> bool:
    """Whether a buffer takes two values only, some of them zero, as masks do."""
    flat = tensor.detach().reshape(-1)
    others = flat[flat != 0]
    return 0 < len(others) < len(flat) and bool((others == others[0]).all())

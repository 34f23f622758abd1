"""A relation between a wrong tensor and the right one, and the proposal that it starts as."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

Parameter = float | int | str | tuple[int, ...]
Parameters = Mapping[str, Parameter]
Change = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Relation:
    """What turns the wrong tensor into the right one.

    Attributes:
        kind: ``scaled``, ``scaled along``, ``offset``, ``affine``, ``affine along``, ``sign``; ``missing`` (the right
            one has a term more), ``added`` (a term less), ``replaced`` (one term for another), ``scaled term``,
            ``other tensor``; ``multiplied`` (the right one has a factor more), ``divided`` (a factor less),
            ``swapped factors``, ``replaced factor``; ``function``, ``clipped``, ``softcapped``; ``permuted``,
            ``shifted``, ``axes exchanged``, ``heads regrouped``; ``normalised``, ``pooled``, ``masked only``,
            ``rounded``, ``dropout``.
        text: one clause in plain words.
        terms: names of the known tensors that it speaks of.
        parameters: what was found: ``factor``, ``axis``, ``function``, …
        repair: takes the wrong tensor to the right one, up to rounding, in the wrong one's dtype. Where the wrong one
            has lost what the right one holds (``rounded``, ``dropout``, some of the others), it changes nothing.
        residual: relative L2 of ``repair(wrong)`` against the right one over the valid places.
    """

    kind: str
    text: str
    terms: tuple[str, ...] = ()
    parameters: Parameters = field(default_factory=dict)
    repair: Change
    residual: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proposal:
    """A relation that holds on a sample.

    Attributes:
        kind: as in `Relation`.
        text: as in `Relation`.
        terms: as in `Relation`.
        parameters: as in `Relation`.
        change: the repair in float64, on the cpu; None if what was lost cannot be brought back, and the family has
            seen the whole tensor.
        cost: how many free parameters the relation has, about; a choice from a short list costs a fraction.
        slack: by how much the change enlarges rounding, elementwise; None for not at all.
        where: the places for which the relation speaks; None for all.
    """

    kind: str
    text: str
    terms: tuple[str, ...] = ()
    parameters: Parameters = field(default_factory=dict)
    change: Change | None
    cost: float
    slack: torch.Tensor | None = None
    where: torch.Tensor | None = None


def wide(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor in float64; torch casts some narrow ones through float32 only."""
    narrow = tensor.is_floating_point() and tensor.element_size() == 1
    return tensor.float().double() if narrow else tensor.double()


def plain(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor on the cpu, without its graph; a complex one with an axis of its two parts behind."""
    tensor = tensor.detach().resolve_conj().resolve_neg().cpu()
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def as_repair(change: Change | None) -> Change:
    """A change in float64 as a repair of tensors of any dtype, on any device."""

    def repair(tensor: torch.Tensor) -> torch.Tensor:
        if change is None:
            return tensor.clone()
        value = change(wide(plain(tensor)))
        if tensor.is_complex():
            value = torch.view_as_complex(value.contiguous())
        elif tensor.dtype == torch.bool:
            value = value > 0.5
        elif not tensor.is_floating_point():
            value = value.round()
        return value.to(device=tensor.device, dtype=tensor.dtype)

    return repair

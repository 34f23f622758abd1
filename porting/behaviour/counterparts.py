"""Which parameter of the original holds what one of the port holds, by content: whole, in rows or in slices."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch

from porting.trace.bits import as_bytes, plain

Likely = Callable[[str], Collection[str]]
"""For a module of the port the modules of the original that correspond to it."""


@dataclass(frozen=True)
class Place:
    """A row of a parameter, or the whole of it where there is no row."""

    name: str
    row: int | None = None


class Counterparts:
    """Finds for parameters of the port what the original has at the same places, as its gradients.

    Contents are compared bit by bit, so that split, fused, transposed and reordered rows are found as they are.
    What has equal content in several parameters is taken from the modules that correspond, or not at all.
    """

    def __init__(self, values: Mapping[str, torch.Tensor], likely: Likely) -> None:
        """Index the original's parameters.

        Args:
            values: of its parameters, by name.
            likely: tells equal contents apart.
        """
        self._likely = likely
        self._values = {name: value.detach().cpu() for name, value in values.items()}
        self._wholes = _index((_digest(value), Place(name)) for name, value in self._values.items())

    @cached_property
    def _of_rows(self) -> Mapping[bytes, list[Place]]:
        return _index(
            (_digest(content), Place(name, row))
            for name, value in self._values.items()
            for row, content in enumerate(_rows(value))
        )

    def expected(
        self, name: str, value: torch.Tensor, gradients: Mapping[str, torch.Tensor], *, tied: bool = False
    ) -> torch.Tensor | None:
        """The original's gradients at the places of a parameter of the port; NaN where a row is not found.

        Args:
            name: of the port's parameter.
            value: of it.
            gradients: of the original's parameters, by name.
            tied: whether several modules of the port share it; then those of all equal ones are added.

        Returns:
            A tensor of its shape; None if nothing is found.
        """
        value = value.detach().cpu()
        for turned in (False, True) if value.dim() > 1 else (False,):
            content = value.transpose(-1, -2) if turned else value
            found = self._whole(name, content, gradients, tied=tied)
            found = self._in_rows(name, content, gradients) if found is None else found
            if found is not None:
                return found.transpose(-1, -2) if turned else found
        return None

    def _whole(
        self, name: str, value: torch.Tensor, gradients: Mapping[str, torch.Tensor], *, tied: bool
    ) -> torch.Tensor | None:
        places = [place for place in self._wholes.get(_digest(value), []) if self._known(place, value, gradients)]
        if tied and len({place.name for place in places}) > 1:
            return sum((self._at(place, gradients).reshape(value.shape) for place in places), torch.zeros_like(value))
        place = self._only(name, places)
        return None if place is None else self._at(place, gradients).reshape(value.shape)

    def _in_rows(self, name: str, value: torch.Tensor, gradients: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
        if value.dim() < 2:
            return self._in_slices(name, value, gradients)
        rows = []
        for row in _rows(value):
            places = [place for place in self._of_rows.get(_digest(row), []) if self._known(place, row, gradients)]
            place = self._only(name, places)
            rows.append(torch.full_like(row, torch.nan) if place is None else self._at(place, gradients).reshape(-1))
        found = torch.stack(rows).reshape(value.shape)
        return None if bool(found.isnan().all()) else found

    def _in_slices(self, name: str, value: torch.Tensor, gradients: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
        """A vector as a part of one of the modules that correspond, or as several of them one after the other."""
        found = torch.full_like(value, torch.nan)
        for other, held in self._values.items():
            if other not in gradients or held.dim() != 1 or _module(other) not in self._likely(_module(name)):
                continue
            longer, shorter = (held, value) if len(held) > len(value) else (value, held)
            start = _start(longer, shorter)
            if start is not None and longer is held:
                return gradients[other][start : start + len(value)]
            if start is not None:
                found[start : start + len(held)] = gradients[other]
        return None if bool(found.isnan().all()) else found

    def _known(self, place: Place, like: torch.Tensor, gradients: Mapping[str, torch.Tensor]) -> bool:
        if place.name not in gradients:
            return False
        return self._at(place, gradients).numel() == like.numel()

    def _at(self, place: Place, gradients: Mapping[str, torch.Tensor]) -> torch.Tensor:
        gradient = gradients[place.name]
        return gradient if place.row is None else _rows(gradient)[place.row]

    def _only(self, name: str, places: list[Place]) -> Place | None:
        if len(places) > 1:
            likely = self._likely(_module(name))
            places = [place for place in places if _module(place.name) in likely]
        return places[0] if len(places) == 1 else None


def _rows(value: torch.Tensor) -> torch.Tensor:
    """The rows of a matrix, or of every matrix of a stack."""
    return value.reshape(-1, value.shape[-1]) if value.dim() > 1 else value.new_empty(0, 0)


def _start(longer: torch.Tensor, shorter: torch.Tensor) -> int | None:
    if not len(shorter) or bool((shorter == shorter[0]).all()):
        return None
    starts = [
        start
        for start in (longer[: len(longer) - len(shorter) + 1] == shorter[0]).nonzero().flatten().tolist()
        if torch.equal(longer[start : start + len(shorter)], shorter)
    ]
    return starts[0] if len(starts) == 1 else None


def _index(places: Iterable[tuple[bytes, Place]]) -> Mapping[bytes, list[Place]]:
    found: dict[bytes, list[Place]] = defaultdict(list)
    for digest, place in places:
        found[digest].append(place)
    return found


def _module(name: str) -> str:
    return name.rpartition(".")[0]


def _digest(value: torch.Tensor) -> bytes:
    return hashlib.sha256(as_bytes(plain(value).contiguous()).numpy().data).digest()

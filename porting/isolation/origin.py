"""Where a tensor comes from: the identity of tensors followed from call to call of a reference-fed run."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from porting.hooks.tracking import OpenCall


class Origin:
    """Knows which tensors are beyond doubt, and which call made each of the others."""

    def __init__(self) -> None:
        self._alive: list[torch.Tensor] = []  # an identity must not be used again
        self._trusted: set[int] = set()
        self._maker: dict[int, OpenCall] = {}
        self._received: dict[int, list[torch.Tensor]] = {}
        self._aligned: set[int] = set()
        self._fed: dict[int, set[int]] = {}

    def enter(self, call: OpenCall, tensors: list[torch.Tensor], fed: set[int], *, aligned: bool) -> None:
        """A call was entered with these arguments."""
        self._alive += tensors
        self._received[call.index] = tensors
        self._fed[call.index] = fed
        if call.parent is None:
            self.trust(tensors)
        if aligned:
            self._aligned.add(call.index)
        self._trusted |= fed

    def made(self, call: OpenCall, tensors: list[torch.Tensor]) -> None:
        """A call without a counterpart returned these; those that it was given are not its making."""
        self._alive += tensors
        given = {id(tensor) for tensor in self._received[call.index]}
        for tensor in tensors:
            if id(tensor) not in given:
                self._maker.setdefault(id(tensor), call)

    def trust(self, tensors: Iterable[torch.Tensor]) -> None:
        """These are the original's own, or made from nothing but them by an aligned module."""
        for tensor in tensors:
            self._alive.append(tensor)
            self._trusted.add(id(tensor))

    def of(self, tensor: torch.Tensor, enclosing: OpenCall | None) -> str | None:
        """The deepest module in which a wrong tensor arises, met while ``enclosing`` runs; None: outside the model."""
        maker = self._maker.get(id(tensor))
        if maker is not None:
            doubtful = [given for given in self._received[maker.index] if id(given) not in self._trusted]
            return self.of(doubtful[0], maker.parent) if doubtful else maker.path
        while enclosing is not None and self._came_from_above(tensor, enclosing):
            enclosing = enclosing.parent
        return None if enclosing is None else enclosing.path

    def _came_from_above(self, tensor: torch.Tensor, call: OpenCall) -> bool:
        """Whether the call was handed the tensor, or something in doubt that it may have made it from."""
        received = self._received[call.index]
        if any(given is tensor for given in received) and id(tensor) not in self._fed[call.index]:
            return True
        return call.index not in self._aligned and any(id(given) not in self._trusted for given in received)

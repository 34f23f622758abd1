"""Which memory of a reference-fed run may be written, and what was written by those it was lent to."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from porting.hooks.module_tree import all_tensors


@dataclass(frozen=True, slots=True)
class Loan:
    """A tensor that a call got in the place of its caller's own.

    Attributes:
        own: the caller's.
        fed: what the call got, a copy of its own.
        version: of ``fed`` when it was given; None if it does not count writes.
        content: what was given then, kept only if it does not count writes.
    """

    own: torch.Tensor
    fed: torch.Tensor
    version: int | None
    content: torch.Tensor | None

    @classmethod
    def of(cls, own: torch.Tensor, fed: torch.Tensor) -> Loan:
        """A loan that begins now."""
        return cls(own, fed, None, fed.clone()) if fed.is_inference() else cls(own, fed, fed._version, None)

    @property
    def changed(self) -> bool:
        """Whether the call wrote into what it got."""
        if self.content is None:
            return self.fed._version != self.version
        return not torch.equal(self.fed, self.content)


class Memory:
    """Knows which memory holds the model's parameters, and which the original's tensors."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = {memory_of(tensor) for tensor in all_tensors(model)}
        self._given: set[StorageWeakRef | None] = set()

    def give(self, tensor: torch.Tensor) -> None:
        """A tensor of the original is given to the run."""
        self._given.add(memory_of(tensor))

    def writable(self, tensor: torch.Tensor, *, anew: bool = False) -> bool:
        """Whether a tensor may be written in place, where each element has a place of its own.

        Args:
            tensor: of the run.
            anew: with what the original has instead of it; then what is the original's already stays as it is, for
                the run may have handed on the wrong one of two right tensors.
        """
        memory = memory_of(tensor)
        if memory is None or memory in self._model:
            return False
        if any(stride == 0 and size > 1 for stride, size in zip(tensor.stride(), tensor.shape, strict=True)):
            return False
        return not (anew and memory in self._given)


def memory_of(tensor: torch.Tensor) -> StorageWeakRef | None:
    """What tensors that share memory have in common; it keeps no memory, but its identity from being used again.

    None for a tensor that is not laid out in one piece of memory, as a sparse one.
    """
    if tensor.layout is not torch.strided:
        return None
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]

"""What each tensor of a run was made from, operation by operation, and by which module."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum, auto
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from porting.hooks.tracking import OpenCall
from porting.reruns.memory import memory_of
from porting.reruns.pausing import PausableMode

MOVES = frozenset(
    re.findall(
        r"\w+",
        """__getitem__ __get__ T alias as_strided atleast_1d atleast_2d atleast_3d broadcast_to cat chunk clone concat
        concatenate contiguous copy_ detach diagonal embedding expand expand_as flatten flip fliplr flipud gather
        hstack index_select masked_select moveaxis movedim mT narrow permute pixel_shuffle pixel_unshuffle ravel
        repeat repeat_interleave reshape reshape_as roll rot90 select slice split split_with_sizes squeeze stack
        swapaxes swapdims t take take_along_dim tensor_split tile transpose unbind unflatten unfold unsqueeze view
        view_as vstack""",
    )
)
"""Names of torch functions that copy elements to other places and change none."""


class Kind(Enum):
    """What an operation does: it computes numbers, only moves them, or makes indices and masks."""

    COMPUTES = auto()
    MOVES = auto()
    INDEXES = auto()


class Dataflow(PausableMode):
    """Follows the tensors of a run through torch's functions, views and writes in place among them.

    Each operation is a node: its number, the nodes that it reads, and the call whose code asked for it. Tensors are
    not kept alive by it.
    """

    def __init__(self, open_call: Callable[[], OpenCall | None]) -> None:
        super().__init__()
        self.sources: list[tuple[int, ...]] = []
        self.calls: list[OpenCall | None] = []
        self.kinds: list[Kind] = []
        self._open_call = open_call
        self._made: dict[int, tuple[weakref.ref[torch.Tensor], int]] = {}
        self._writes: dict[StorageWeakRef, list[int]] = {}
        self._renewals: set[int] = set()

    def node(self, tensor: torch.Tensor) -> int | None:
        """The operation that made or last wrote a tensor; None if that was not seen, as of a parameter."""
        latest = self._node(tensor)
        if latest is None or not self._writes:
            return latest
        memory = memory_of(tensor)
        written = [] if memory is None else [node for node in self._writes.get(memory, ()) if node > latest]
        if not written:
            return latest
        renewed = max((place for place, node in enumerate(written) if node in self._renewals), default=None)
        read = [latest, *written] if renewed is None else written[renewed:]
        return self.add([tensor], read, self.calls[read[-1]], Kind.MOVES)

    def add(
        self,
        tensors: Iterable[torch.Tensor],
        sources: Iterable[int],
        call: OpenCall | None,
        kind: Kind = Kind.COMPUTES,
    ) -> int:
        """Note an operation that makes tensors out of what other operations made; its number."""
        node = len(self.sources)
        self.sources.append(tuple(sources))
        self.calls.append(call)
        self.kinds.append(kind)
        for tensor in tensors:
            self._made[id(tensor)] = weakref.ref(tensor), node
        return node

    def wrote(self, tensor: torch.Tensor, node: int, *, anew: bool = False) -> None:
        """An operation wrote into a tensor, and so into every other that shares its memory.

        Args:
            tensor: that was written.
            node: the operation.
            anew: all of the tensor was replaced, so that nothing of what was there counts, if it is all there is.
        """
        memory = memory_of(tensor)
        if memory is None:
            return
        self._writes.setdefault(memory, []).append(node)
        if anew and tensor.nbytes == tensor.untyped_storage().nbytes():
            self._renewals.add(node)

    def nodes(self, tensors: Iterable[torch.Tensor]) -> list[int]:
        """The operations that made those of the tensors of which it is known."""
        return [node for tensor in tensors if (node := self.node(tensor)) is not None]

    def _node(self, tensor: torch.Tensor) -> int | None:
        known = self._made.get(id(tensor))
        return known[1] if known is not None and known[0]() is tensor else None

    def called(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run it, and note what it made of what."""
        given = list(tensors_of((args, kwargs)))
        before = [version(tensor) for tensor in given]
        result = func(*args, **kwargs)
        written = [tensor for tensor, old in zip(given, before, strict=True) if version(tensor) != old]
        known = {id(tensor) for tensor in given}
        made = [tensor for tensor in tensors_of(result) if id(tensor) not in known]
        if made or written:
            sources = self.nodes(given)
            kind = self._kind(func, given, [*made, *written])
            node = self.add([*made, *written], sources, self._open_call(), kind)
            for tensor in written:
                self.wrote(tensor, node)
        return result

    def _kind(self, func: Callable[..., Any], given: Iterable[torch.Tensor], made: Iterable[torch.Tensor]) -> Kind:
        """What an operation does; what it takes from a table that the model has computed, it does not only move."""
        results = {tensor.dtype for tensor in made if _is_number(tensor)}
        if not results:
            return Kind.INDEXES
        read = [tensor for tensor in given if _is_number(tensor)]
        known = all(isinstance(tensor, torch.nn.Parameter) or self._node(tensor) is not None for tensor in read)
        moves = known and results <= {tensor.dtype for tensor in read} and getattr(func, "__name__", "") in MOVES
        return Kind.MOVES if moves else Kind.COMPUTES


def _is_number(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def tensors_of(value: Any) -> Iterator[torch.Tensor]:
    """The tensors among the arguments or results of a torch function."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_of(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_of(item)


def version(tensor: torch.Tensor) -> int | None:
    """How often a tensor was written in place; None for an inference tensor, which does not count that."""
    return None if tensor.is_inference() else tensor._version

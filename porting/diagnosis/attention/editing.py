"""The attentions of a running module read, and changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from porting.diagnosis import changes
from porting.diagnosis.attention.model import Attention, Side
from porting.diagnosis.attention.reading import Met, read_arriving, read_attention
from porting.diagnosis.attention.watching import Node, Watch

Change = Callable[[Attention], Attention]
Substitute = Callable[[Met], torch.Tensor | None]


@dataclass(slots=True)
class Editor:
    """What is done with each attention that a forward meets.

    Attributes:
        batch: how many rows the inputs have.
        change: what to make of the attention; None: leave it.
        at: which attention is meant, by order in one forward; None: all.
        substitute: what to put in the place of what was met, in its form; None: nothing.
        met: the attentions, in order, as much as was known of each in the end; None where one was not understood.
    """

    batch: int
    change: Change | None = None
    at: int | None = None
    substitute: Substitute | None = None
    met: list[Met | None] = field(default_factory=list)
    _places: dict[int, int] = field(default_factory=dict)

    @contextmanager
    def watching(self, module: torch.nn.Module) -> Iterator[None]:
        """Follow what a module runs in this context."""
        self.met.clear()
        self._places.clear()
        watch = Watch(lambda node, soft: self._take(watch, node, soft))
        with ExitStack() as stack:
            for part in module.modules():
                if "softmax" in type(part).__name__.lower():
                    handle = part.register_forward_pre_hook(
                        lambda part, args: self._arrived(watch, part, args), prepend=True
                    )
                    stack.callback(handle.remove)
            with watch:
                yield

    def _take(self, watch: Watch, node: Node, soft: Node | None) -> torch.Tensor | None:
        first = soft.parents[0] if soft is not None and soft.parents else node
        place = self._places.setdefault(id(first), len(self.met))
        if place == len(self.met):
            self.met.append(None)
        if self.change is not None and self.at not in (None, place):
            return None
        met = read_attention(watch, node, soft, self.batch)
        self.met[place] = met or self.met[place]
        return self._made(met, place)

    def _arrived(self, watch: Watch, part: torch.nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """The scores on their way to a softmax that is a module."""
        if not args or not isinstance(args[0], torch.Tensor):
            return None
        axis, node = getattr(part, "dim", -1), watch.node(args[0])
        place = self._places.setdefault(id(node), len(self.met))
        with torch._C.DisableTorchFunction():
            met = read_arriving(node, axis if isinstance(axis, int) else -1, self.batch)
            self.met.append(met)
            made = self._made(met, place)
            unchanged = met is None or made is None or torch.equal(made, met.back(met.attention.scores()))
        return None if unchanged else (made, *args[1:])

    def _made(self, met: Met | None, place: int) -> torch.Tensor | None:
        if met is None or self.at not in (None, place):
            return None
        if self.substitute is not None:
            return self.substitute(met)
        if self.change is None:
            return None
        attention = self.change(met.attention)
        made = attention.at(met.stage)
        if met.stage == "result":
            if met.weights is not None and met.weights.numel() == attention.weights().numel():
                met.weights.detach().copy_(attention.weights().reshape(met.weights.shape))
            _hand_on(met.attention.key, attention.key)
            _hand_on(met.attention.value, attention.value)
            return met.back(made).to(met.tensor.dtype)
        least = torch.promote_types(made.dtype, met.tensor.dtype)  # the port's own softmax may be too coarse
        return met.back(made).to(least) if made.numel() == met.tensor.numel() else None


def _hand_on(own: Side, new: Side) -> None:
    """Write changed keys or values where the port keeps them, as in a cache."""
    if new is not own and new.turn is not own.turn:
        for holder in own.holders:
            holder.detach().copy_(new.single())


@contextmanager
def edited(module: torch.nn.Module, batch: int, change: Change, at: int | None) -> Iterator[None]:
    """Let the attention of a live module be another one."""
    own = module.forward
    editor = Editor(batch, change, at)

    def forward(*args: Any, **kwargs: Any) -> Any:
        with editor.watching(module):
            return own(*args, **kwargs)

    with changes.forward(module, forward):
        yield

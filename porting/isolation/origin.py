"""Where a wrong tensor comes from: the operations that made it out of tensors that are beyond doubt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

import torch

from porting.hooks.tracking import OpenCall
from porting.isolation.dataflow import Dataflow, Kind
from porting.isolation.kin import deviates


@dataclass(frozen=True, slots=True)
class Sighting:
    """A tensor as it was when it was compared.

    Attributes:
        node: the operation that made it.
        identity: of the tensor, among those of one operation.
        enclosing: the call whose code handed it on.
    """

    node: int
    identity: int
    enclosing: OpenCall | None


class Origin:
    """Knows which tensors of a reference-fed run are the original's own, and what was made of them by whom."""

    def __init__(self, model: torch.nn.Module, flow: Dataflow) -> None:
        self.model = model
        self.flow = flow
        self._trusted: set[int] = set()
        self._outside: set[int] = set()
        self._received: dict[int, list[tuple[int, int]]] = {}
        self._fed: dict[int, set[int]] = {}
        self._aligned: set[int] = set()
        self._cleared: set[int] = set()
        self._explained: dict[int, tuple[str, ...] | None] = {}

    def entered(self, call: OpenCall, tensors: Sequence[torch.Tensor], fed: set[int], *, aligned: bool) -> None:
        """A call was entered with these arguments, of which some are the original's."""
        for tensor in tensors:
            if id(tensor) in fed:
                self.trust([tensor], call)
            elif call.parent is None:
                self.trust([tensor], None)
                self._outside.update(self.flow.nodes([tensor]))
        self._received[call.index] = [self._known(tensor, call.parent, ()) for tensor in tensors]
        self._fed[call.index] = {node for node, identity in self._received[call.index] if identity in fed}
        if aligned:
            self._aligned.add(call.index)

    def made(self, call: OpenCall, tensors: Iterable[torch.Tensor]) -> None:
        """A call returned these; what nobody saw being made counts as made from all that it was given."""
        given = [node for node, _ in self._received[call.index]]
        for tensor in tensors:
            self._known(tensor, call, given)

    def handed_out(self, call: OpenCall, tensors: Sequence[torch.Tensor]) -> list[int]:
        """The operations that made what a call hands out; what it only hands on, beyond doubt, is moved by it."""
        for tensor in tensors:
            if (node := self.flow.node(tensor)) in self._trusted and node is not None:
                self.flow.add([tensor], (node,), call, Kind.MOVES)
        return self.flow.nodes(tensors)

    def trust(self, tensors: Sequence[torch.Tensor], call: OpenCall | None) -> None:
        """These are the original's own."""
        self._trusted.add(self.flow.add(tensors, (), call))

    def renew(self, tensor: torch.Tensor, call: OpenCall | None) -> None:
        """A tensor was made the original's in place."""
        self.trust([tensor], call)
        self.flow.wrote(tensor, self.flow.nodes([tensor])[0], anew=True)

    def copied(self, tensor: torch.Tensor, source: torch.Tensor, call: OpenCall) -> None:
        """A tensor became equal to another one, as far as ``call`` wrote into it."""
        node = self.flow.add([tensor], self.flow.nodes([source]), call)
        self.flow.wrote(tensor, node, anew=True)

    def seen(self, tensor: torch.Tensor, enclosing: OpenCall | None) -> Sighting:
        """A tensor that is being compared, handed on by the code of ``enclosing``."""
        return Sighting(*self._known(tensor, enclosing, ()), enclosing)

    def moved(self, sighting: Sighting) -> bool:
        """Whether a tensor was made by nothing but moving elements of what is the original's."""
        region = self._walk(sighting.node, set())
        return all(self.flow.kinds[node] is Kind.MOVES for node in region)

    def clear(self, sighting: Sighting) -> None:
        """The tensor was right, and with it all that it was made from."""
        self._walk(sighting.node, self._cleared)

    def made_from(self, sighting: Sighting) -> set[int]:
        """The operations that a tensor came of, back to what is the original's."""
        return self._walk(sighting.node, set())

    def made_by(self, call: OpenCall, tensor: torch.Tensor) -> int:
        """The operation that made an argument of a call, which can be asked for in the end whether it is doubtful."""
        return self._known(tensor, call.parent, ())[0]

    def doubtful(self, node: int) -> bool:
        """Whether anything that a tensor was made from was not found to be right."""
        return node not in self._trusted and bool(self._walk(node, set(self._cleared)))

    def suspects(self, sighting: Sighting) -> tuple[str, ...] | None:
        """The paths of the modules in which a wrong tensor may arise, the likeliest first; None: outside the model.

        First comes a module that is unlike its kin in other layers, then the innermost module around what was
        computed in the judged call, then that around what was brought in, where that could not be fed. What makes
        indices and masks counts only where nothing else was done.

        To be asked in the order in which tensors were seen, after all right ones were cleared.
        """
        region = self._walk(sighting.node, set(self._cleared))
        earlier = [node for node in region if node in self._explained and node != sighting.node]
        if earlier:
            return self._explained[max(earlier)]
        self._explained[sighting.node] = found = self._suspects(region, sighting)
        return found

    def _suspects(self, region: set[int], sighting: Sighting) -> tuple[str, ...] | None:
        numbers = [node for node in region if self.flow.kinds[node] is not Kind.INDEXES]
        calls = [call for node in numbers or region if (call := self.flow.calls[node]) is not None]
        if not calls:
            return self._handed_on(sighting)
        within = self._judged(sighting.enclosing)
        own = [call for call in calls if call is within or (within is not None and call.is_below(within))]
        brought = [call for call in calls if call not in own]
        paths = list(dict.fromkeys(call.path for call in (*own, *brought)))
        odd = [path for path in paths if deviates(self.model, path)]
        likely = [common_path(group) for group in (own, brought) if group]
        others = (call.path for node in region if (call := self.flow.calls[node]) is not None)
        return tuple(dict.fromkeys((*odd, *likely, *paths, *others)))

    def _handed_on(self, sighting: Sighting) -> tuple[str, ...] | None:
        """Nobody computed anything: the call whose code took the wrong one of the tensors that it had."""
        tensor, call = (sighting.node, sighting.identity), sighting.enclosing
        while call is not None and tensor in self._received[call.index] and tensor[0] not in self._fed[call.index]:
            call = call.parent
        return None if call is None else (call.path,)

    def _judged(self, call: OpenCall | None) -> OpenCall | None:
        """The innermost call that is fed, from ``call`` outwards."""
        while call is not None and call.index not in self._aligned:
            call = call.parent
        return call

    def _known(self, tensor: torch.Tensor, call: OpenCall | None, sources: Iterable[int]) -> tuple[int, int]:
        node = self.flow.node(tensor)
        return (self.flow.add([tensor], sources, call) if node is None else node), id(tensor)

    def _walk(self, node: int, passed: set[int]) -> set[int]:
        """The operations back from ``node`` to what is trusted, but for those passed before; they are now."""
        found: set[int] = set()
        waiting = [node]
        while waiting:
            each = waiting.pop()
            if each not in passed and each not in self._trusted:
                passed.add(each)
                found.add(each)
                waiting += self.flow.sources[each]
        return found


def common_path(calls: Sequence[OpenCall]) -> str:
    """The path of the innermost call that all of these were made in."""
    chains = [_chain(call) for call in calls]
    shared = takewhile(lambda paths: len(set(paths)) == 1, zip(*chains, strict=False))
    return next(iter([paths[0] for paths in shared][::-1]), "")


def _chain(call: OpenCall | None) -> list[str]:
    """The paths of the calls around a call, outermost first, and its own."""
    paths: list[str] = []
    while call is not None:
        paths.append(call.path)
        call = call.parent
    return paths[::-1]

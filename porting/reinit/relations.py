"""How each tensor of the port is made of the original's today: found by their values, never by names."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import torch

from porting.reinit.slots import Slot
from porting.reinit.views import View, content, hashes, views_of

Values = Mapping[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Relation:
    """How a tensor of the port is made.

    Attributes:
        sources: full names of the original's tensors.
        make: the tensor, from the original's by name.
        rows: for each source, which of its rows become which of the port's; empty for a whole tensor.
    """

    sources: tuple[str, ...]
    make: Callable[[Values], torch.Tensor]
    rows: tuple[tuple[str, torch.Tensor, torch.Tensor], ...] = ()


class Relations:
    """Relations between the tensors of two live models, found with growing help from those found before."""

    def __init__(self, original: Iterable[Slot], ported: Iterable[Slot], pairs: Iterable[tuple[str, str]]) -> None:
        """Find them; ``pairs`` are the original and ported paths of aligned modules."""
        self.originals = {slot.full: slot for slot in original}
        self.ported = list(ported)
        self.aligned = {other: one for one, other in pairs}
        self.found: dict[str, Relation] = {}
        self._homes: dict[str, set[str]] = defaultdict(set)
        self._by_content: dict[tuple[int, int, int], list[Slot]] = defaultdict(list)
        for slot in self.originals.values():
            self._by_content[content(slot.tensor)].append(slot)
        self._find()

    @cached_property
    def twins(self) -> Mapping[str, str]:
        """Original tensors that are no source and equal one today, with that one: a table that every layer holds."""
        sources = {source for relation in self.found.values() for source in relation.sources}
        found = {}
        for equals in self._by_content.values():
            used = next((slot for slot in equals if slot.full in sources and not slot.level), None)
            if used is not None:
                same = [slot for slot in equals if slot.full not in sources and _same(slot.tensor, used.tensor)]
                found.update({slot.full: used.full for slot in same})
        return found

    @property
    def unknown(self) -> list[Slot]:
        """Tensors of the port of which no relation is known."""
        return [slot for slot in self.ported if slot.full not in self.found]

    def _find(self) -> None:
        whole = {slot.full: self._equals(slot) for slot in self.ported}
        for slot in self.ported:  # what can be told by its values alone
            if len(whole[slot.full]) == 1 and not slot.level:
                self._keep(slot, whole[slot.full][0])
        taken = {source for relation in self.found.values() for source in relation.sources}
        parted = any(not whole[slot.full] for slot in self.unknown)
        bank = _Bank(slot for slot in self.originals.values() if parted and slot.full not in taken)
        for slot in self.unknown:
            if not whole[slot.full] and (relation := bank.relation(slot)):
                self._keep(slot, relation)
        for slot in self.unknown:  # what cannot: as its neighbours and the alignment say
            candidates = list(self._beside(slot)) or whole[slot.full]
            if (chosen := self._chosen(slot, candidates)) is not None:
                self._keep(slot, chosen)
        self._find_lonely(whole)

    def _find_lonely(self, whole: Mapping[str, list[Relation]]) -> None:
        """What has a single possible source that nothing else takes, as a class token of zeros."""
        taken = {source for relation in self.found.values() for source in relation.sources}
        for slot in self.unknown:
            free = [relation for relation in whole[slot.full] if not taken & set(relation.sources)]
            rivals = [other for other in self.unknown if other is not slot and other.tensor.shape == slot.tensor.shape]
            if len(free) == 1 and not rivals:
                self._keep(slot, free[0])

    def _keep(self, slot: Slot, relation: Relation) -> None:
        self.found[slot.full] = relation
        self._homes[slot.path] |= {self.originals[source].path for source in relation.sources}

    def _equals(self, slot: Slot) -> list[Relation]:
        """Every tensor of the original that equals this one up to the order of its axes."""
        found = []
        for other in self._by_content.get(content(slot.tensor), ()):
            axes = _axes(other.tensor, slot.tensor)
            if axes is not None:
                found.append(_whole(other, axes, slot.tensor.shape))
        return found

    def _chosen(self, slot: Slot, candidates: list[Relation]) -> Relation | None:
        """The candidate of the module that this one's other tensors come from, else of the aligned module."""
        for homes in (self._homes.get(slot.path, set()), {self.aligned.get(slot.path)}):
            fitting = [r for r in candidates if {self.originals[source].path for source in r.sources} <= homes]
            named = [r for r in fitting if self.originals[r.sources[0]].name == slot.name]
            if len(fitting) == 1 or len(named) == 1:
                return (fitting if len(fitting) == 1 else named)[0]
        return None

    def _beside(self, slot: Slot) -> Iterator[Relation]:
        """A vector beside a matrix whose rows come from several places: its elements come from the same."""
        if slot.tensor.dim() != 1:
            return
        for sibling in self.ported:
            relation = self.found.get(sibling.full)
            if sibling.path == slot.path and relation and relation.rows:
                made = self._along(slot, relation)
                if made is not None:
                    yield made

    def _along(self, slot: Slot, relation: Relation) -> Relation | None:
        pieces = []
        for source, rows, places in relation.rows:
            home, most = self.originals[source].path, int(rows.max())
            vectors = [o for o in self.originals.values() if o.path == home and o.tensor.dim() == 1]
            fitting = [
                vector.full
                for vector in vectors
                if len(vector.tensor) > most
                and int(places.max()) < len(slot.tensor)
                and torch.equal(_plain(vector.tensor)[rows], _plain(slot.tensor)[places])
            ]
            if len(fitting) != 1:
                return None
            pieces.append((fitting[0], rows, places))
        if sum(len(places) for _, _, places in pieces) != len(slot.tensor):
            return None
        return Relation(tuple(name for name, _, _ in pieces), lambda values: _gathered(values, pieces, slot), ())


class _Bank:
    """The rows of all matrices of the original."""

    def __init__(self, slots: Iterable[Slot]) -> None:
        self.slots = {slot.full: slot for slot in slots}
        self.views: dict[tuple[str, str], View] = {}
        self.rows: dict[tuple[int, int], list[tuple[str, str, int]]] = defaultdict(list)
        for slot in self.slots.values():
            for view in views_of(slot.tensor):
                self.views[slot.full, view.name] = view
                matrix = view.there(slot.tensor.detach())
                for row, number in enumerate(hashes(matrix).tolist()):
                    self.rows[matrix.shape[1], number].append((slot.full, view.name, row))

    def relation(self, slot: Slot) -> Relation | None:
        """The rows of a tensor, each found in the original; None if some are not."""
        for view in views_of(slot.tensor):
            matrix = view.there(slot.tensor.detach())
            places = [self.rows.get((matrix.shape[1], number)) for number in hashes(matrix).tolist()]
            found = [place for place in places if place]
            if len(found) == len(places):
                return self._relation(slot, view, _agreed(found))
        return None

    def _relation(self, slot: Slot, view: View, places: list[tuple[str, str, int]]) -> Relation:
        groups: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
        for place, (source, name, row) in enumerate(places):
            groups[source, name].append((row, place))
        parts = [(source, self.views[source, name], *torch.tensor(g).T) for (source, name), g in groups.items()]
        shape = slot.tensor.shape

        def make(values: Values) -> torch.Tensor:
            rows = view.there(torch.empty(shape)).clone()
            for source, seen, here, there in parts:
                rows[there] = seen.there(values[source]).to(rows)[here]
            return view.back(rows, shape)

        sources = tuple(dict.fromkeys(source for source, *_ in parts))
        return Relation(sources, make, tuple((source, here, there) for source, _, here, there in parts))


def _agreed(places: list[list[tuple[str, str, int]]]) -> list[tuple[str, str, int]]:
    """One place for each row: of several, that in the tensor which holds most of the rows."""
    votes = Counter((source, view) for options in places for source, view in {(s, v) for s, v, _ in options})
    return [max(options, key=lambda option: votes[option[0], option[1]]) for options in places]


def _axes(one: torch.Tensor, other: torch.Tensor) -> tuple[int, ...] | None:
    """The order of axes in which ``one``, without axes of one, has the values of ``other``; None if there is none."""
    first, second = _plain(one).squeeze(), _plain(other).squeeze()
    if first.numel() == second.numel() and torch.equal(first.reshape(-1), second.reshape(-1)):
        return tuple(range(first.dim()))
    for axes in permutations(range(first.dim())) if 1 < first.dim() <= 4 and first.dim() == second.dim() else ():
        if first.permute(axes).shape == second.shape and torch.equal(first.permute(axes), second):
            return axes
    return None


def _whole(source: Slot, axes: tuple[int, ...], shape: torch.Size) -> Relation:
    name = source.full
    return Relation((name,), lambda values: values[name].squeeze().permute(axes).reshape(shape))


def _gathered(values: Values, pieces: list[tuple[str, torch.Tensor, torch.Tensor]], slot: Slot) -> torch.Tensor:
    made = torch.empty(slot.tensor.shape)
    for name, rows, places in pieces:
        made[places] = values[name].to(made)[rows]
    return made


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and torch.equal(_plain(one), _plain(other))


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().to("cpu", torch.float32)

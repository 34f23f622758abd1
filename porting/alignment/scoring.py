"""How well two modules go together: all the evidence in one matrix of scores, (original, ported)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from porting.alignment.activations import Flow, elsewhere
from porting.alignment.contents import Contents
from porting.alignment.placing import Placing
from porting.alignment.sides import Shapes, Side, equal, numbered

TELLING = 0.5
"""Share of common weights from which these say that two modules correspond."""
CLEAR = 0.8
"""Share of common weights from which containers correspond although nothing else speaks for it."""
ACCEPTED = 2.0
"""Least score of a pair without common weights: the same place, the same values, or the same class and name."""


class Evidence:
    """All that is known of two traces' modules before any of them is aligned.

    Attributes:
        original: the original's modules.
        ported: the port's.
        contents: what weights say.
        own: share of the weights that two modules own in common.
        held: the same with what lies below.
        flow: what runs through the modules.
        inputs: whether two modules are given the same values; bool.
        outputs: whether they return the same; bool.
        withdrawn: where weights were found to mislead, so that neither they nor the results count any more; bool.
    """

    def __init__(self, original: Side, ported: Side) -> None:
        self.original = original
        self.ported = ported
        self.contents = Contents(original, ported)
        flow = Flow.of(original, ported)
        self.flow = flow
        self.inputs, self.outputs = flow.inputs, flow.outputs.copy()
        self.own = self.contents.own.copy()
        self.held = self.contents.held.copy()
        self.withdrawn = np.zeros(self.own.shape, bool)

    @property
    def shape(self) -> tuple[int, int]:
        """How many modules either side has."""
        return len(self.original.paths), len(self.ported.paths)

    def placing(self, pairs: Mapping[int, int]) -> Placing:
        """Where modules are, seen from these pairs."""
        return Placing(self.original, self.ported, self.held, pairs)

    def withdraw(self, row: int, column: int) -> None:
        """Disregard that these two, and what is below them, hold the same weights and return the same."""
        rows, columns = (
            np.flatnonzero(side.named_above[each] | (np.arange(len(side.paths)) == each))
            for side, each in ((self.original, row), (self.ported, column))
        )
        for table in (self.own, self.held, self.outputs):
            table[np.ix_(rows, columns)] = 0
        for name in ("weights", "strange", "unlike"):
            self.__dict__.pop(name, None)
        self.withdrawn[np.ix_(rows, columns)] = True

    @cached_property
    def weights(self) -> np.ndarray:
        """Whether weights say that two modules correspond; bool.

        Buffers alone say it of modules that return the same shape, and containers with but a part in common must be
        alike in another way: return the same, or have the name or role of such that do.
        """
        found: np.ndarray = (self.held >= TELLING) | (self.own >= TELLING)
        found &= self.same_sizes | self._parametric
        return np.asarray(found & ~self.strange & ~self.roots)

    @cached_property
    def strange(self) -> np.ndarray:
        """Containers with a part of their weights in common and a sign that they are different things; bool.

        That is that one is given or returns what another module is given or returns, and that modules of their roles
        are given the same and return something else. It is none if modules of their roles are seen to be the same.
        """
        shared = self.held >= TELLING
        partial = shared & (self.own < TELLING) & (self.held < 1.0)
        little = ~(self.outputs | self.same_name | (self.held >= CLEAR))
        apart = elsewhere(self.inputs) | elsewhere(self.outputs) | self.unlike | little
        found: np.ndarray = partial & apart & ~self._alike(shared & self.outputs & ~elsewhere(self.inputs))
        return found

    @cached_property
    def unlike(self) -> np.ndarray:
        """Whether of modules of these roles one returns what another module does, and none are the same; bool."""
        same = self._alike(self.inputs & self.outputs)
        given = self.inputs | elsewhere(self.inputs)
        return np.asarray(self._alike(given & elsewhere(self.outputs) & self.same_number) & ~same)

    @cached_property
    def _parametric(self) -> np.ndarray:
        one, other = (np.array([each != () for each in side.held_shapes]) for side in (self.original, self.ported))
        return _both(one, other)

    def _alike(self, pairs: np.ndarray) -> np.ndarray:
        """Whether modules of the same two roles are among these pairs; bool."""
        one, other, count = numbered(self.original.roles, self.ported.roles)
        roles = np.zeros((count, count), bool)
        rows, columns = np.nonzero(pairs)
        roles[one[rows], other[columns]] = True
        found: np.ndarray = roles[np.ix_(one, other)]
        return found

    @property
    def certain(self) -> np.ndarray:
        """Pairs that need no other to be known: by their weights, or by what goes in and comes out; bool."""
        found: np.ndarray = self.weights | (self.inputs & self.outputs & self.same_kind & self.same_sizes)
        return found

    @cached_property
    def roots(self) -> np.ndarray:
        """Whether either is the model itself, which correspond to each other alone; bool."""
        one, other = (np.array([path == "" for path in side.paths]) for side in (self.original, self.ported))
        found: np.ndarray = one[:, None] | other[None, :]
        return found

    @cached_property
    def same_class(self) -> np.ndarray:
        """Whether the classes have one name; bool."""
        return equal(self.original.classes, self.ported.classes)

    @cached_property
    def same_name(self) -> np.ndarray:
        """Whether the last parts of the paths are equal; bool."""
        return equal(self.original.names, self.ported.names)

    @cached_property
    def same_path(self) -> np.ndarray:
        """Whether the whole paths are equal; bool."""
        return equal(self.original.paths, self.ported.paths)

    @cached_property
    def same_number(self) -> np.ndarray:
        """Whether the numbers in the paths are equal; bool."""
        return equal(self.original.numbers, self.ported.numbers)

    @cached_property
    def same_kind(self) -> np.ndarray:
        """Whether the largest parameters have the same shape, and neither is a dropout alone; bool."""
        own = equal(*([each[-1:] for each in side.own_shapes] for side in (self.original, self.ported)))
        empty = equal([not each for each in self.original.held_shapes], [not each for each in self.ported.held_shapes])
        kinds = equal(self.original.kinds.tolist(), self.ported.kinds.tolist())
        return np.asarray(own & empty & kinds & self._as_large)

    @cached_property
    def _as_large(self) -> np.ndarray:
        """Whether neither holds more than twice the numbers of the other; bool."""
        one, other = (np.array([_count(each) for each in side.held_shapes]) for side in (self.original, self.ported))
        found: np.ndarray = np.maximum(one[:, None], other) <= 2 * np.minimum(one[:, None], other)
        return found

    @cached_property
    def same_make(self) -> np.ndarray:
        """Whether both hold parameters of the same shapes; bool."""
        return equal(self.original.held_shapes, self.ported.held_shapes)

    @cached_property
    def stands_in(self) -> np.ndarray:
        """Whether one is an identity in the place of the other; bool."""
        one, other = (side.kinds == "identity" for side in (self.original, self.ported))
        found: np.ndarray = one[:, None] ^ other[None, :]
        return np.asarray(found & _both(self.original.leaves, self.ported.leaves))

    @cached_property
    def same_sizes(self) -> np.ndarray:
        """Whether the results could be the same: as many elements, or one row for equal ones; bool."""
        left, right = self.original.result_shapes, self.ported.result_shapes
        found = equal([_size(shape) for shape in left], [_size(shape) for shape in right])
        batches = equal([_sizes_below(shape) for shape in left], [_sizes_below(shape) for shape in right])
        single = np.array([_is_row(shape) for shape in left])[:, None] | np.array([_is_row(shape) for shape in right])
        return np.asarray(found | (batches & single))


def _count(shapes: Shapes) -> int:
    return sum(int(np.prod(shape)) for shape in shapes)


def _size(shape: tuple[int, ...] | None) -> int | None:
    return None if shape is None else int(np.prod(shape))


def _sizes_below(shape: tuple[int, ...] | None) -> tuple[int, ...]:
    return (-1,) if shape is None else shape[1:]


def _is_row(shape: tuple[int, ...] | None) -> bool:
    return shape is not None and shape[:1] == (1,)


def scores(evidence: Evidence, placing: Placing) -> np.ndarray:
    """How well every two modules go together."""
    given, made = evidence.inputs, evidence.outputs
    values = 3.0 * evidence.own + 2.0 * evidence.held
    streams = 1.5 * given - 1.5 * (elsewhere(given) & ~made) + 1.5 * made - 0.5 * elsewhere(made)
    places = 1.0 * placing.place + 1.0 * placing.nearness + 1.0 * placing.below - 4.0 * placing.torn
    named = 0.5 * evidence.same_class + 0.4 * evidence.same_name + 0.5 * evidence.same_path
    habit = 0.3 * evidence.same_number + 1.0 * placing.role + 0.5 * evidence.same_make
    total: np.ndarray = values + streams + places + named + habit
    return total


def possible(evidence: Evidence, placing: Placing) -> np.ndarray:
    """Which two modules may be a pair: by their weights, by what they return, or as strangers at one place."""
    found: np.ndarray = ~evidence.roots & (evidence.weights | _plausible(evidence, placing))
    return found


def _plausible(evidence: Evidence, placing: Placing) -> np.ndarray:
    """Modules without common weights that are nevertheless likely."""
    given, made = evidence.inputs, evidence.outputs
    healthy = _healthy(evidence, placing)
    unlike = healthy & given & ~made
    named = evidence.same_name & placing.place & evidence.same_sizes
    stands_in = evidence.stands_in & ((given & ~healthy) | named)
    like = (evidence.same_kind & evidence.same_sizes & ~evidence.unlike) | stands_in
    tells = evidence.contents.tells
    passes = evidence.stands_in & given & made & ~(tells[0][:, None] | tells[1])
    support = (
        2.0 * placing.place
        + 1.5 * evidence.same_class
        + 1.0 * evidence.same_name
        + 2.0 * (given | made)
        - 4.0 * elsewhere(given)
        - 3.0 * (elsewhere(made) & ~stands_in)
    )
    found: np.ndarray = (like | passes) & placing.below & ~unlike & (placing.torn < TELLING) & (support >= ACCEPTED)
    return found


def _healthy(evidence: Evidence, placing: Placing) -> np.ndarray:
    """Whether what the nearest known pair above a module of the original makes is right; bool, one column."""
    parents, _ = placing.parents
    works = {row: row >= 0 and evidence.flow.works(row, placing.pairs[row]) for row in set(parents.tolist())}
    right = np.array([works[row] for row in parents.tolist()])
    return right[:, None]


def _both(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    found: np.ndarray = one[:, None] & other[None, :]
    return found

"""How sure a claim is: what else would fit, and by how much this fits better."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from porting.weights.inference.claims import Claim
from porting.weights.inference.likeness import Likeness
from porting.weights.inference.operating import between
from porting.weights.inference.turning import Turning
from porting.weights.inference.units import Shape, Unit
from porting.weights.inference.words import words

CLEAR, SOME = 0.3, 0.05
"""Margins of likeness from which names decide, and from which they say something."""
LONELY = 0.4
"""What the likeness lacks of two names of which one has a number: it is no sign that they differ."""
MUTE = 1.5
"""What a name that says nothing may lack in likeness."""
NAMED = 1.6
"""The likeness of two names from which they say that two tensors are one."""
SURE, SHOWN, OPEN, UNTOLD = 0.97, 0.85, 0.7, 0.4
"""Confidence: nothing else fits as well; names and shapes say it; one thing is open; the order alone says it."""
PLACED = frozenset({"first", "second", "firstpost", "secondpost"})
FUSED = (frozenset("qkv"), frozenset("kv"), frozenset({"gate", "up"}))


@dataclass(frozen=True)
class _Rivals:
    """What names and shapes say of all pairs of one block, and the most that they may say of a rival."""

    told: np.ndarray
    most: np.ndarray
    rows: Mapping[str, int]
    columns: Mapping[str, int]

    def of(self, source: Unit, target: Unit) -> tuple[float, np.ndarray]:
        """What is said of a pair, and of all pairs that share one of the two."""
        row, column = self.rows.get(source.name), self.columns[target.name]
        if row is None:
            return 0.0, self.most[:, column]
        rivals = np.concatenate([np.delete(self.most[:, column], row), np.delete(self.most[row], column)])
        return float(self.told[row, column]), rivals


@dataclass(frozen=True)
class Judge:
    """What is needed to weigh claims.

    Attributes:
        likeness: of names.
        turning: whether matrices are transposed.
        rotary: whether the port has rotary positions, whose layout changes the rows of q and k.
        adding_one: weights of norms to which the port adds one, as the original may or may not.
    """

    likeness: Likeness
    turning: Turning
    rotary: bool
    adding_one: Collection[str] = ()

    def weighed(self, claims: Sequence[Claim]) -> tuple[Claim, ...]:
        """The claims with their confidence and what it stands on."""
        tables: dict[Shape, _Rivals] = {}
        return tuple(self._weighed(claim, tables) for claim in claims)

    def _weighed(self, claim: Claim, tables: dict[Shape, _Rivals]) -> Claim:
        if len(claim.sources) > 1 or len(claim.targets) > 1 or claim.confidence != 0.5:
            return claim
        source, target = claim.sources[0], claim.targets[0]
        if target.key not in tables:
            tables[target.key] = self._rivals(target.key)
        own, rivals = tables[target.key].of(source, target)
        bounds = [self._by_names(own, rivals, source, target), *self._open(source, target)]
        confidence = min(bound for bound, _ in bounds)
        said = [why for bound, why in bounds if why and bound <= max(confidence, SHOWN)]
        evidence = dict.fromkeys((bounds[0][1], *claim.evidence[1:], *said))
        return replace(claim, confidence=confidence, evidence=tuple(evidence))

    def _rivals(self, key: Shape) -> _Rivals:
        ones, others = (side.blocks.get(key, []) for side in (self.likeness.sources, self.likeness.targets))
        told = self.likeness.static(ones, others)
        numbered = [
            np.array([bool(side.ranks[unit.name]) for unit in units], bool)
            for side, units in ((self.likeness.sources, ones), (self.likeness.targets, others))
        ]
        told = told + LONELY * (numbered[0][:, None] != numbered[1][None, :])
        mute = [
            np.array([self.likeness.mute(unit, target=turned) for unit in units], bool)
            for turned, units in ((False, ones), (True, others))
        ]
        rows, columns = ({unit.name: at for at, unit in enumerate(units)} for units in (ones, others))
        return _Rivals(told, told + MUTE * (mute[0][:, None] | mute[1][None, :]), rows, columns)

    def _by_names(self, own: float, rivals: np.ndarray, source: Unit, target: Unit) -> tuple[float, str]:
        named = self.likeness.wording(source, target) >= NAMED
        if not len(rivals):
            telling = named or len(target.dims) > 1
            return (SURE if telling else OPEN), "no other tensor has this shape"
        if self._other_lists(source, target):
            return OPEN, "lists of other lengths: the numbers may count something else"
        margin = own - float(rivals.max())
        equals = f"{len(rivals) + 1} of this shape" if len(rivals) > 1 else "another of this shape"
        if margin >= CLEAR and not self._confirmed(source, target):
            return SHOWN, "shapes and names tell it"
        if margin >= CLEAR:
            return (SURE, f"names tell it from {equals}") if named else (OPEN, f"numbers tell it from {equals}")
        if margin >= SOME:
            return OPEN, f"names tell it hardly from {equals}"
        return UNTOLD, f"only its place among {equals} says so"

    def _other_lists(self, source: Unit, target: Unit) -> bool:
        """Whether the outermost numbers of the two names run to different ends."""
        one, other = self.likeness.sources.lengths[source.name], self.likeness.targets.lengths[target.name]
        return bool(one) and bool(other) and one[0] != other[0]

    def _confirmed(self, source: Unit, target: Unit) -> bool:
        """Whether more than the order of its two dimensions tells a matrix from those that are transposed."""
        if len(target.dims) != 2 or target.dims[0] == target.dims[1]:
            return True
        beside = {role for role, _ in self.likeness.sources.beside[source.name]}
        beside &= {role for role, _ in self.likeness.targets.beside[target.name]}
        turned = [each for each in self.likeness.targets.blocks[target.key] if each.dims != target.dims]
        own = self.likeness.naming(source, target)
        rivals = self.likeness.named([source], turned)
        return bool(beside) or not turned or own - float(rivals.max()) >= CLEAR

    def _open(self, source: Unit, target: Unit) -> list[tuple[float, str]]:
        """What is open although the names fit: the layout within, whether it is transposed."""
        found = []
        one, other = set(words(source.name)), set(words(target.name))
        if any(parts <= one and parts <= other for parts in FUSED):
            found.append((OPEN, "fused on both sides: the order within is open"))
        if self.rotary and len(other & {"q", "k"}) and "norm" not in other:
            found.append((SHOWN, "the layout of rotary positions is open"))
        if target.name in self.adding_one:
            found.append((SHOWN, "the port adds one to this weight: whether the original does is open"))
        if len(list(between(source, target))) > 1 and self.turning.unsure(target.owner):
            found.append((SHOWN, "whether it is transposed is open"))
        if source.dims != target.dims and source.key != target.key:
            found.append((OPEN, "axes are split or merged"))
        if other & PLACED and _last(source) != _last(target):
            found.append((SHOWN, "which norm of its layer it is, is a matter of convention"))
        return found


def _last(unit: Unit) -> str:
    """The name of the module that owns a unit."""
    return unit.name.split(".")[-2:][0]

"""How sure a claim is: what else would fit, and by how much this fits better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
class Judge:
    """What is needed to weigh claims.

    Attributes:
        likeness: of names.
        turning: whether matrices are transposed.
        rotary: whether the port has rotary positions, whose layout changes the rows of q and k.
    """

    likeness: Likeness
    turning: Turning
    rotary: bool

    def weighed(self, claims: Sequence[Claim]) -> tuple[Claim, ...]:
        """The claims with their confidence and what it stands on."""
        blocks = (self.likeness.sources.blocks, self.likeness.targets.blocks)
        return tuple(self._weighed(claim, *blocks) for claim in claims)

    def _weighed(
        self, claim: Claim, ones: Mapping[Shape, Sequence[Unit]], others: Mapping[Shape, Sequence[Unit]]
    ) -> Claim:
        if len(claim.sources) > 1 or len(claim.targets) > 1 or claim.confidence != 0.5:
            return claim
        source, target = claim.sources[0], claim.targets[0]
        pairs = [(each, target) for each in ones.get(target.key, ()) if each != source]
        pairs += [(source, each) for each in others.get(source.key, ()) if each != target]
        own, rivals = self._told(source, target), [self._told(*pair) + self._unheard(*pair) for pair in pairs]
        bounds = [self._by_names(own, rivals, source, target), *self._open(claim, source, target)]
        confidence = min(bound for bound, _ in bounds)
        said = [why for bound, why in bounds if why and bound <= max(confidence, SHOWN)]
        return replace(
            claim, confidence=confidence, evidence=tuple(dict.fromkeys((bounds[0][1], *claim.evidence[1:], *said)))
        )

    def _told(self, source: Unit, target: Unit) -> float:
        """What counts for being sure: a number in one name alone says little."""
        told = self.likeness.static(source, target)
        one, other = self.likeness.sources.ranks[source.name], self.likeness.targets.ranks[target.name]
        return told if bool(one) == bool(other) else told + LONELY

    def _unheard(self, source: Unit, target: Unit) -> float:
        """What a rival may have in its favour if its name says nothing."""
        return MUTE * (self.likeness.mute(source, target=False) or self.likeness.mute(target, target=True))

    def _by_names(self, own: float, rivals: Sequence[float], source: Unit, target: Unit) -> tuple[float, str]:
        named = self.likeness.wording(source.name, target.name) >= NAMED
        if not rivals:
            telling = named or len(target.dims) > 1
            return (SURE if telling else OPEN), "no other tensor has this shape"
        margin = own - max(rivals)
        equals = f"{len(rivals) + 1} of this shape" if len(rivals) > 1 else "another of this shape"
        if margin >= CLEAR and not self._confirmed(source, target):
            return SHOWN, "shapes and names tell it"
        if margin >= CLEAR:
            return (SURE, f"names tell it from {equals}") if named else (OPEN, f"numbers tell it from {equals}")
        if margin >= SOME:
            return OPEN, f"names tell it hardly from {equals}"
        return UNTOLD, f"only its place among {equals} says so"

    def _confirmed(self, source: Unit, target: Unit) -> bool:
        """Whether more than the order of its two dimensions tells a matrix from those that are transposed."""
        if len(target.dims) != 2 or target.dims[0] == target.dims[1]:
            return True
        beside = set(self.likeness.sources.beside[source.name]) & set(self.likeness.targets.beside[target.name])
        turned = [each for each in self.likeness.targets.blocks[target.key] if each.dims != target.dims]
        own = self.likeness.naming(source, target)
        rivals = [self.likeness.naming(source, each) for each in turned]
        return bool(beside) or not rivals or own - max(rivals) >= CLEAR

    def _open(self, claim: Claim, source: Unit, target: Unit) -> list[tuple[float, str]]:
        """What is open although the names fit: the layout within, whether it is transposed."""
        found = []
        one, other = set(words(source.name)), set(words(target.name))
        if any(parts <= one and parts <= other for parts in FUSED):
            found.append((OPEN, "fused on both sides: the order within is open"))
        if self.rotary and len(other & {"q", "k"}) and "norm" not in other:
            found.append((SHOWN, "the layout of rotary positions is open"))
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

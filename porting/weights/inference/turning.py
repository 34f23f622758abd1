"""Whether square matrices are transposed: as the others of their kind are."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from porting.weights.inference.claims import Claim
from porting.weights.inference.operating import Operations, between
from porting.weights.inference.units import Unit
from porting.weights.rules.layout import Transpose


class Turning:
    """What the matrices that are not square say of those that are."""

    def __init__(self, pairs: Iterable[tuple[Unit, Unit]]) -> None:
        """Count, for each class of the port's modules, how often a matrix is turned and how often not."""
        self._turned: dict[str, Counter[bool]] = defaultdict(Counter)
        for source, target in pairs:
            if len(source.dims) > 1 and len(set(target.dims)) > 1 and source.key == target.key:
                self._turned[target.owner][source.dims != target.dims] += 1

    def claim(self, source: Unit, target: Unit) -> Claim | None:
        """The claim that one becomes the other; None if their shapes allow none."""
        ways = list(between(source, target))
        if not ways:
            return None
        if source.shape == target.shape and square(target.shape):
            return self._square(source, target, ways)
        evidence = ("names, order and shape",) if source.shape == target.shape else ("names, order and dimensions",)
        return Claim((source,), (target,), ways[0], 0.5, evidence)

    def _square(self, source: Unit, target: Unit, ways: list[Operations]) -> Claim:
        turned = self.turned(target.owner)
        chosen = self.way(target, ways)
        why = "transposed, as the others of its class are" if turned else "names, order and shape"
        return Claim((source,), (target,), chosen, 0.5, (why,))

    def way(self, target: Unit, ways: Sequence[Operations]) -> Operations:
        """The one of several ways that turns a square matrix as the others of its class are, else the first."""
        if not (square(target.shape) and self.turned(target.owner)):
            return ways[0]
        return next((way for way in ways if any(isinstance(each, Transpose) for each in way)), ways[0])

    def turned(self, owner: str) -> bool:
        """Whether most matrices of a class are turned."""
        return self._turned[owner][True] > self._turned[owner][False]

    def unsure(self, owner: str) -> bool:
        """Whether nothing is known of the matrices of a class, or they are turned in part."""
        return len(+self._turned[owner]) != 1


def square(shape: tuple[int, ...]) -> bool:
    """Whether the last two dimensions of a shape of matrices are equal."""
    return len(shape) == 2 and shape[-1] == shape[-2] > 1

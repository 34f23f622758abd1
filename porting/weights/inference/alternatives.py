"""What else may be right: other operations for all claims of a kind at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from porting.weights.inference.changing import LAYOUTS, changes, rotated
from porting.weights.inference.claims import Claim
from porting.weights.inference.fusing import role
from porting.weights.inference.names import Texts, parted
from porting.weights.inference.units import Unit


@dataclass(frozen=True)
class Alternative:
    """Claims in the place of others.

    Attributes:
        why: what is different, in words.
        gone: the claims that are replaced.
        instead: the claims that replace them.
        plain: whether results show it by their values alone, in whatever order.
    """

    why: str
    gone: tuple[Claim, ...]
    instead: tuple[Claim, ...]
    plain: bool = False

    @property
    def targets(self) -> frozenset[str]:
        """What it changes."""
        return frozenset(name for claim in self.instead for name in claim.target_names)

    def applied(self, claims: Sequence[Claim]) -> list[Claim]:
        """The claims with these in the place of those."""
        gone = {id(claim) for claim in self.gone}
        return [*(claim for claim in claims if id(claim) not in gone), *self.instead]


def module(unit: Unit) -> str:
    """The path of the module that owns a unit."""
    return unit.name.rpartition(".")[0]


def other_operations(claims: Sequence[Claim], heads: Sequence[int], *, rotary: bool) -> Iterator[Alternative]:
    """All alternatives that keep what becomes of what and change how."""
    for family in _families(claims):
        for why, change in changes(family[0], heads, rotary=rotary):
            yield from _alternative(why, [(claim, change(claim)) for claim in family])
    if rotary:
        yield from _rotations(claims, heads)


def _families(claims: Sequence[Claim]) -> list[list[Claim]]:
    """The claims of one kind: the same modules but for their numbers, with weights and biases together."""
    groups: dict[object, list[Claim]] = defaultdict(list)
    for claim in claims:
        kind: tuple[Texts, ...] = tuple(parted(module(unit))[0] for unit in (*claim.sources, *claim.targets))
        groups[kind, len(claim.sources), len(claim.targets)].append(claim)
    return list(groups.values())


def _alternative(why: str, pairs: Sequence[tuple[Claim, Claim | None]]) -> Iterator[Alternative]:
    """The alternative of these claims, if any is changed."""
    changed = [(old, new) for old, new in pairs if new is not None and new != old]
    if changed:
        yield Alternative(why, tuple(old for old, _ in changed), tuple(new for _, new in changed))


def _rotations(claims: Sequence[Claim], heads: Sequence[int]) -> Iterator[Alternative]:
    """Q and k, each from a tensor of its own, in the other rope layout."""
    single = [claim for claim in claims if len(claim.targets) == 1 and "norm" not in claim.targets[0].owner.lower()]
    told = {name: [claim for claim in single if role(claim.targets[0]) == name] for name in ("q", "k")}
    numbers = [(one, other) for one in heads for other in heads if one >= other] if all(told.values()) else []
    for layout in LAYOUTS:
        for one, other in numbers:
            counts = {"q": one, "k": other}
            pairs = [(c, rotated(c, counts[name], layout)) for name, found in told.items() for c in found]
            if all(new is not None for _, new in pairs):
                yield from _alternative(f"rope layout {layout} for {one} and {other} heads", pairs)

"""The proposal from names and shapes alone: what is fused, what goes one to one, what is left."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch

from porting.weights.inference.claims import Claim
from porting.weights.inference.confidence import Judge
from porting.weights.inference.fusing import fused
from porting.weights.inference.likeness import Likeness
from porting.weights.inference.matching import matched
from porting.weights.inference.remaining import lonely, refolded, reshaped, resized
from porting.weights.inference.turning import Turning
from porting.weights.inference.units import Side, Unit, folded, list_lengths
from porting.weights.report import Spec

NO_NAMES: Mapping[str, str] = MappingProxyType({})
LARGE = 4000
"""Tensors of either side from which lists that both have are one tensor each."""


@dataclass(frozen=True)
class Proposal:
    """What is thought to become of what.

    Attributes:
        claims: no tensor is in two of them.
        sources: the checkpoint's units that no claim takes.
        targets: the port's units that no claim makes.
        likeness: how alike units are, as seen from these claims.
    """

    claims: tuple[Claim, ...]
    sources: tuple[Unit, ...]
    targets: tuple[Unit, ...]
    likeness: Likeness


def propose(
    specs: Mapping[str, Spec],
    targets: Iterable[Unit],
    *,
    rotary: bool = False,
    adding_one: Collection[str] = (),
    names: Mapping[str, str] = NO_NAMES,
) -> Proposal:
    """Find what makes the targets of what a checkpoint holds, by names, shapes and order alone.

    Args:
        specs: what it holds, by name.
        targets: the port's tensors.
        rotary: whether the port has rotary positions.
        adding_one: weights of norms to which the port adds one.
        names: the original's own names, by the checkpoint's, where they are others.
    """
    plain = [Unit(names.get(name, name), spec.shape, (name,)) for name, spec in specs.items()]
    single = tuple(targets)
    long = list_lengths(plain) & list_lengths(single) if min(len(plain), len(single)) > LARGE else set[int]()
    sources = tuple(folded(plain, long | _lengths(single)))
    targets = tuple(folded(single, long | _lengths(plain)))
    likeness = Likeness(Side(sources), Side(targets))
    free = _Free(sources, targets)
    pairs = matched(likeness, sources, targets)
    likeness.learn(pairs)
    free.take(fused(likeness, free.sources, free.targets, Turning(pairs), forced=True))
    pairs = matched(likeness, free.sources, free.targets, free.known)
    turning = Turning(pairs)
    free.take(turning.claim(source, target) for source, target in pairs)
    free.take(fused(likeness, free.sources, free.targets, turning, forced=False))
    likeness.learn(free.known)
    free.take(reshaped(likeness, free.sources, free.targets, turning))
    likeness.learn(free.known)
    free.take(resized(likeness, free.sources, free.targets))
    free.take(lonely(likeness, free.sources, free.targets))
    claims = refolded(free.claims, free.sources)
    taken = {name for claim in claims for name in claim.source_names}
    left = tuple(unit for unit in free.sources if unit.name not in taken)
    return Proposal(Judge(likeness, turning, rotary, adding_one).weighed(claims), left, free.targets, likeness)


def targets_of(model: torch.nn.Module) -> list[Unit]:
    """The tensors of a model's state, each once, under its first name."""
    seen: set[int] = set()
    found = []
    for name, tensor in model.state_dict(keep_vars=True).items():
        if isinstance(tensor, torch.Tensor) and id(tensor) not in seen:
            seen.add(id(tensor))
            owner = model.get_submodule(name.rpartition(".")[0]) if "." in name else model
            found.append(Unit(name, tuple(tensor.shape), (name,), type(owner).__name__))
    return found


def tied_of(model: torch.nn.Module) -> list[Unit]:
    """The names of a model's state that are further names of tensors."""
    first = {unit.name for unit in targets_of(model)}
    state = {name: tensor for name, tensor in model.state_dict().items() if isinstance(tensor, torch.Tensor)}
    return [Unit(name, tuple(tensor.shape), (name,)) for name, tensor in state.items() if name not in first]


def _lengths(targets: Collection[Unit]) -> set[int]:
    """How long lists may be that the port holds stacked: the first dimensions of its tensors of three and more."""
    return {unit.shape[0] for unit in targets if len(unit.shape) > 2}


class _Free:
    """What is still free on both sides, and what is claimed."""

    def __init__(self, sources: Collection[Unit], targets: Collection[Unit]) -> None:
        self._sources = {unit.name: unit for unit in sources}
        self._targets = {unit.name: unit for unit in targets}
        self.claims: list[Claim] = []

    @property
    def sources(self) -> tuple[Unit, ...]:
        return tuple(self._sources.values())

    @property
    def targets(self) -> tuple[Unit, ...]:
        return tuple(self._targets.values())

    @property
    def known(self) -> list[tuple[Unit, Unit]]:
        """Every source of a claim with every target."""
        return [(one, other) for claim in self.claims for one in claim.sources for other in claim.targets]

    def take(self, claims: Iterable[Claim | None]) -> None:
        """Take them out."""
        for claim in claims:
            if claim is not None:
                self.claims.append(claim)
                for unit in claim.sources:
                    del self._sources[unit.name]
                for unit in claim.targets:
                    del self._targets[unit.name]

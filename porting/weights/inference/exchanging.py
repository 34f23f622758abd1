"""Other tensors that would fit: modules exchanged in every layer, or as what they are given tells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from porting.alignment.activations import same_figures
from porting.weights.inference.alternatives import Alternative, module
from porting.weights.inference.claims import GUESS, Claim, confidence_word
from porting.weights.inference.names import parted
from porting.weights.inference.operating import between
from porting.weights.inference.parting import exchanged_parts
from porting.weights.inference.seeing import Bench, Sight
from porting.weights.inference.units import Shape, scope
from porting.weights.inference.words import leaf

STATE = frozenset({"weight", "bias", "running_mean", "running_var", "num_batches_tracked"})
"""What a module's tensors are called if they belong together."""

GUESSED = 8
"""Most modules of one signature any two of which are exchanged."""

Signature = tuple[tuple[str, Shape], ...]


class Modules:
    """The port's modules whose tensors each come of one of the checkpoint's."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        """Group the claims by module; a parameter that is no module's weight or bias stands for itself."""
        self.claims: dict[str, dict[str, Claim]] = defaultdict(dict)
        for claim in claims:
            if len(claim.sources) == len(claim.targets) == 1:
                unit = claim.targets[0]
                plain = unit.name.rsplit(".", 1)[-1] in STATE
                self.claims[module(unit) if plain else unit.name][leaf(unit.name) if plain else ""] = claim

    def signature(self, path: str) -> Signature:
        """What a module holds: dimensions by role."""
        return tuple(sorted((role, claim.targets[0].key) for role, claim in self.claims[path].items()))

    def exchanged(self, pairs: Sequence[tuple[str, str]], why: str) -> Alternative | None:
        """The alternative in which modules exchange what they are made of; None if that fits none."""
        used: set[str] = set()
        exchange: list[tuple[Claim, Claim]] = []
        for one, other in pairs:
            if not used & {one, other}:
                used |= {one, other}
                exchange += [(claim, self.claims[other][role]) for role, claim in self.claims[one].items()]
        made = [_instead(into, of) for pair in exchange for into, of in (pair, pair[::-1])]
        instead = tuple(claim for claim in made if claim is not None)
        if not instead or len(instead) < len(made):
            return None
        return Alternative(why, tuple(claim for pair in exchange for claim in pair), instead, plain=True)


def _instead(into: Claim, of: Claim) -> Claim | None:
    """The claim that what makes one makes the other; None if the shapes do not allow it."""
    way = next(between(of.sources[0], into.targets[0]), None)
    if way is None:
        return None
    kept = of.operations if of.targets[0].shape == into.targets[0].shape else way
    return replace(into, sources=of.sources, operations=kept)


def exchanges(claims: Sequence[Claim], sight: Sight, bench: Bench) -> Iterator[Alternative]:
    """Alternatives in which modules of one signature exchange their tensors: what inputs tell first."""
    modules = Modules(claims)
    found = [*_directed(modules, sight, bench)]
    if len(found) > 1 and (alternative := modules.exchanged(found, "as their inputs tell")):
        yield alternative
    yield from filter(None, (_everywhere(modules, *pair) for pair in found))
    yield from filter(None, (modules.exchanged([pair], "as its inputs tell") for pair in found))
    yield from _in_layers(modules)
    yield from exchanged_parts(claims)
    yield from _guessed(modules)


def _directed(modules: Modules, sight: Sight, bench: Bench) -> Iterator[tuple[str, str]]:
    """Modules that are given what the source of another was given in the original, and not its own."""
    homes: dict[str, list[str]] = defaultdict(list)
    for path, held in modules.claims.items():
        for claim in held.values():
            homes[module(claim.sources[0])].append(path)
    for path, known in sight.given.items():
        if not known or path not in modules.claims or sight.results.get(path):
            continue
        own = module(next(iter(modules.claims[path].values())).sources[0])
        figures = sight.inputs[path][None]
        takers = [each for each, rows in bench.takers.items() if len(rows) and same_figures(figures, rows).any()]
        if own in takers:
            continue
        for other in dict.fromkeys(home for taker in takers for home in homes.get(taker, ())):
            if other != path and modules.signature(other) == modules.signature(path):
                yield path, other


def _everywhere(modules: Modules, one: str, other: str) -> Alternative | None:
    """The same exchange in every layer."""
    places = _places(modules)
    kinds = parted(one)[0], parted(other)[0]
    if scope(one + ".x") != scope(other + ".x") or kinds[0] == kinds[1]:
        return None
    pairs = [(held[kinds[0]], held[kinds[1]]) for held in places.values() if kinds[0] in held and kinds[1] in held]
    return modules.exchanged(pairs, "exchanged in every layer, as their inputs tell") if len(pairs) > 1 else None


def _in_layers(modules: Modules) -> Iterator[Alternative]:
    """Two modules of one signature exchanged in every layer, those of which we are least sure first."""
    pairs: dict[object, list[tuple[str, str]]] = defaultdict(list)
    for held in _places(modules).values():
        for one, other in combinations(held.values(), 2):
            if modules.signature(one) == modules.signature(other):
                pairs[parted(one)[0], parted(other)[0]].append((one, other))
    sure = {key: _sureness(modules, found) for key, found in pairs.items()}
    for key in sorted(pairs, key=lambda key: sure[key]):
        alternative = modules.exchanged(pairs[key], "exchanged")
        if alternative is not None:
            yield alternative


def _guessed(modules: Modules) -> Iterator[Alternative]:
    """Any two modules of one signature of which nothing but their order tells what they are."""
    kinds: dict[Signature, list[str]] = defaultdict(list)
    for path, held in modules.claims.items():
        if all(confidence_word(claim.confidence) == GUESS for claim in held.values()):
            kinds[modules.signature(path)].append(path)
    for pair in (pair for paths in kinds.values() if len(paths) <= GUESSED for pair in combinations(paths, 2)):
        alternative = modules.exchanged([pair], "exchanged")
        if alternative is not None:
            yield alternative


def _sureness(modules: Modules, pairs: Sequence[tuple[str, str]]) -> float:
    return max(claim.confidence for path in pairs[0] for claim in modules.claims[path].values())


def _places(modules: Modules) -> Mapping[tuple[str, tuple[int, ...]], dict[object, str]]:
    """The modules of each layer by their kind: one of each."""
    places: dict[tuple[str, tuple[int, ...]], dict[object, str]] = defaultdict(dict)
    for path in modules.claims:
        texts, numbers = parted(path)
        layer = scope(path + ".x")
        inner = len(parted(layer)[1]) if layer else 0
        for depth in range(inner, len(numbers) + 1):
            places[layer, numbers[:depth]][texts] = path
    return places

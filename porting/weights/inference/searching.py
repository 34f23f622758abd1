"""Try alternatives on the running port, where it first differs from the original, until it no longer does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

from porting.progress import Progress, silent
from porting.weights.inference.alternatives import Alternative, other_operations
from porting.weights.inference.claims import Claim
from porting.weights.inference.exchanging import exchanges
from porting.weights.inference.seeing import Bench, Sight

TRIALS = 400
"""How often the port is run at most."""
PAIRED = 14
"""How many alternatives, those of the first places, are tried two at a time."""


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes:
        claims: the claims with which most of the port works.
        sight: what that run showed.
        changed: what was changed, in words, by target.
    """

    claims: tuple[Claim, ...]
    sight: Sight
    changed: dict[str, str]


def search(
    bench: Bench,
    claims: Sequence[Claim],
    heads: Sequence[int],
    *,
    rotary: bool,
    trials: int = TRIALS,
    progress: Progress = silent,
) -> Search:
    """Change claims one by one, or two at a time, as long as more of the port works than before.

    Args:
        bench: where they are tried.
        claims: to begin with.
        heads: numbers of heads that the port may have.
        rotary: whether it has rotary positions.
        trials: how often it is run at most.
        progress: called as the work goes on.
    """
    current, sight, changed = list(claims), bench.look(claims), dict[str, str]()
    while not sight.exact and bench.trials < trials:
        better = _better(bench, current, sight, heads, rotary=rotary, trials=trials, progress=progress)
        if better is None:
            break
        alternatives, sight = better
        for alternative in alternatives:
            current = alternative.applied(current)
            changed |= dict.fromkeys(alternative.targets, alternative.why)
    return Search(tuple(current), sight, changed)


def _better(
    bench: Bench,
    claims: list[Claim],
    sight: Sight,
    heads: Sequence[int],
    *,
    rotary: bool,
    trials: int,
    progress: Progress,
) -> tuple[tuple[Alternative, ...], Sight] | None:
    """The first alternative, or two, with which more works."""
    singles = _suspected([*exchanges(claims, sight, bench), *other_operations(claims, heads, rotary=rotary)], sight)
    twofold = () if sight.right else _twofold(singles)
    tried = chain(((each,) for each in singles), twofold)
    for several in tried:
        if bench.trials >= trials:
            return None
        progress("trying conversions", bench.trials, trials)
        changed = claims
        for each in several:
            changed = each.applied(changed)
        seen = bench.look(changed)
        if seen.beats(sight):
            return several, seen
    bench.load(claims)
    return None


def _twofold(singles: Sequence[Alternative]) -> Iterator[tuple[Alternative, ...]]:
    """Two alternatives that change different tensors of the first places that do not work."""
    yield from (pair for pair in combinations(singles[:PAIRED], 2) if not pair[0].targets & pair[1].targets)


def _suspected(alternatives: Sequence[Alternative], sight: Sight) -> list[Alternative]:
    """First those that change what is not known to work, where the port first differs; then other orders of rows.

    A module that returns the original's values but for their order, or nearly, seems to work.
    """
    open_ = [each for each in alternatives if not _settled(each, sight)]
    seeming = [each for each in alternatives if not each.plain and _settled(each, sight)]
    return [*sorted(open_, key=lambda each: _place(each, sight)), *seeming]


def _settled(alternative: Alternative, sight: Sight) -> bool:
    """Whether all that it changes lies in modules that return what the original has."""
    return all(_works(name, sight, plain=alternative.plain) for name in alternative.targets)


def _works(name: str, sight: Sight, *, plain: bool) -> bool:
    path = name.rpartition(".")[0]
    above = _above(path)
    return any(sight.results.get(each, False) for each in (above if plain else above[1:]))


def _above(path: str) -> list[str]:
    """The path and those above it, the model's own left out."""
    pieces = path.split(".")
    return [".".join(pieces[:length]) for length in range(len(pieces), 0, -1)]


def _place(alternative: Alternative, sight: Sight) -> int:
    """The place, in the order of results, of the first module that an alternative concerns and that does not work."""
    order = {path: place for place, (path, works) in enumerate(sight.results.items()) if not works}
    concerned = {path for name in alternative.targets for path in _above(name.rpartition(".")[0])}
    return min((order[path] for path in concerned if path in order), default=len(sight.results))

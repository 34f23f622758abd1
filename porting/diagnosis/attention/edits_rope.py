"""``rope-layout``, ``rope-applied`` and ``rope-theta``: which channels are turned, by how much, and of what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch

from porting.diagnosis.attention.bench import Bench
from porting.diagnosis.attention.clues import Clues
from porting.diagnosis.attention.model import Attention, Edit
from porting.diagnosis.attention.rotation import LAYOUTS, Rotation, standard_angles

THETAS = (1e4, 1e6, 5e5, 1e5, 1e3, 100.0)
FACTORS = (2.0, 4.0, 8.0, 0.5, 0.25)


def rope_edits(bench: Bench) -> Iterator[Edit]:
    """Other rotations, those nearest to the port's first."""
    port = bench.attention
    known = port.query.turn or port.key.turn or port.value.turn
    if port.shape()[2] != port.shape()[3]:
        return
    if port.value.turn is not None:
        yield _edit("rope-applied", "the values are turned, too", "the original's are not", value=None)
    if known is None:
        yield from _none_yet(port, bench.clues)
        return
    yield from _sides(port, known)
    yield from _same_angles(known)
    yield from _other_angles(port, known, bench.clues)


def _sides(port: Attention, known: Rotation) -> Iterator[Edit]:
    """Turned on one side only, on none, or in the other direction."""
    query, key = port.query.turn, port.key.turn
    back = replace(known, angles=-known.angles)
    for turn, ours, theirs in ((query, "queries", "keys"), (key, "keys", "queries")):
        if turn is not None and (query is None or key is None):
            yield _edit("rope-applied", f"only the {ours} are turned", f"the original turns {theirs}, too", turn, turn)
    if query is not None and key is not None:
        why = "the original turns queries and keys alike"
        yield _edit("rope-applied", "keys are turned in another way than queries", why, query, query)
        yield _edit("rope-applied", "queries are turned in another way than keys", why, key, key)
        yield _edit("rope-applied", "queries and keys are turned", "the original turns the keys alone", None, key)
        yield _edit("rope-applied", "queries and keys are turned", "the original turns the queries alone", query, None)
    yield _edit("rope-applied", "queries and keys are turned by positions", "the original's are not", None, None)
    yield _edit("rope-applied", "queries and keys are turned forwards", "the original turns backwards", back, back)
    yield _edit("rope-applied", "keys are turned as queries are", "the original turns them backwards", known, back)
    yield _edit("rope-applied", "queries are turned as keys are", "the original turns them backwards", back, known)


def _same_angles(known: Rotation) -> Iterator[Edit]:
    """The other layout, on both sides or on one; positions shifted on one side."""
    other = replace(known, layout=LAYOUTS[1 - LAYOUTS.index(known.layout)])
    back = replace(other, angles=-other.angles)
    ours = f"rotary pairs are {_spelled(known)}"
    for query, key in ((other, other), (other, known), (known, other), (back, back)):
        yield _edit("rope-layout", ours, f"the original's are {_spelled(other)}", query, key)
    for shift in (1, -1, 2, -2):
        moved = replace(known, angles=known.angles + shift * known.frequencies)
        for query, key in ((moved, known), (known, moved)):
            side = "queries" if query is moved else "keys"
            why = f"the original's {side} are {shift:+d} positions from there"
            yield _edit("rope-applied", f"the {side} are turned by other positions", why, query, key)


def _other_angles(port: Attention, known: Rotation, clues: Clues) -> Iterator[Edit]:
    """Another base, another share of the channels, positions scaled."""
    theta = known.theta
    ours = f"{known.size} channels are turned, {_spelled(known)}, with a base of {theta:.6g}" if theta else "as it is"
    for factor in FACTORS:
        turn = replace(known, angles=_unwound(known) * factor)
        yield _edit(
            "rope-theta", "positions are turned as they are", f"the original's by {factor:g} times", turn, turn
        )
    for told, turn in _standard(port, [*([theta] if theta else []), *_thetas(clues)], clues):
        if turn.size == known.size and turn.start == known.start and turn.layout == known.layout:
            code = "rope-theta"
        else:
            code = "rope-applied" if turn.layout == known.layout else "rope-layout"
        yield _edit(code, f"rotary positions: {ours}", f"the original's: {told}", turn, turn)


def _none_yet(port: Attention, clues: Clues) -> Iterator[Edit]:
    ours = "queries and keys are not turned by their positions"
    for told, turn in _standard(port, _thetas(clues), clues):
        yield _edit("rope-applied", ours, f"the original's are: {told}", turn, turn)


def _standard(port: Attention, thetas: list[float], clues: Clues) -> Iterator[tuple[str, Rotation]]:
    """Rotations as they are usual, in words."""
    width, length = port.query.before.shape[-1], port.shape()[2]
    shares = [
        int(n * width) if n <= 1 else int(n) for n in clues.named("rot", "partial", "pct", "rope_dim", "rope_head")
    ]
    sizes = [n for n in (*shares, width, width // 2, width // 4, 3 * width // 4) if 2 <= n <= width and n % 2 == 0]
    for theta in dict.fromkeys(thetas):
        for size in dict.fromkeys(sizes):
            for base in dict.fromkeys([size, width]):
                angles = standard_angles(length, size, theta, base)
                for start in dict.fromkeys([0, width - size]):
                    for layout in LAYOUTS:
                        turn = Rotation(layout, start, size, angles)
                        told = f"{size} of {width} channels from {start}, {_spelled(turn)}, with a base of {theta:.6g}"
                        yield told, turn


def _thetas(clues: Clues) -> list[float]:
    told = [number for number in clues.named("theta", "base", "rope", "rotary") if number > 1]
    return list(dict.fromkeys([*told, *THETAS]))


def _unwound(turn: Rotation) -> torch.Tensor:
    positions = torch.arange(turn.angles.shape[1], dtype=torch.float64)
    return torch.outer(positions, turn.frequencies)[None]


def _spelled(turn: Rotation) -> str:
    return "(i, i + half)" if turn.layout == "halves" else "interleaved (2i, 2i + 1)"


def _edit(code: str, ours: str, theirs: str, *turns: Rotation | None, **named: Rotation | None) -> Edit:
    sides = dict(zip(("query", "key"), turns, strict=False)) | named
    return Edit(
        code,
        f"{ours}, {theirs}",
        "apply rotary positions as the original does: " + theirs.removeprefix("the original's: "),
        partial(_turned, sides=sides),
    )


def _turned(attention: Attention, sides: dict[str, Rotation | None]) -> Attention:
    return attention.but(**{name: getattr(attention, name).but(turn=turn) for name, turn in sides.items()})

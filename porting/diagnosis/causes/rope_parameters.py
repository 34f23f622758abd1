"""``rope-theta``: a rotary embedding that turns by other frequencies, or with another factor, than the original."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import ClassVar

import torch

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.modules.results import Result, explains, reproduces, results
from porting.diagnosis.modules.rotations import REPEATS, Spectrum, Table, recovered
from porting.diagnosis.trial import Applied

FEWEST = 3
"""Positions that must be seen before frequencies are read off."""


class RopeParameters(Cause):
    """The culprit returns cosines and sines of positions times frequencies that it keeps; the original's differ."""

    codes: ClassVar = ("rope-theta",)
    rank: ClassVar = 0

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The frequencies and the factor that the original's cosines and sines hold."""
        for name, held in case.module.named_buffers(recurse=False):
            if held.dim() != 1 or held.numel() < 2 or not held.is_floating_point():
                continue
            read = [found for result in results(case) if (found := _read(result, held)) is not None]
            if read:
                yield from _repairs(case, name, held, read)
                return


@dataclass(frozen=True, slots=True)
class _Read:
    """A result that is such a table in the port, with its positions."""

    result: Result
    table: Table
    positions: torch.Tensor


def _repairs(case: Case, name: str, held: torch.Tensor, read: list[_Read]) -> Iterator[Repair]:
    found = _original(read, held)
    if found is None:
        return
    frequencies, scale = found
    mine, theirs = Spectrum.of(held), Spectrum.of(frequencies)
    parts: list[Applied] = []
    texts: list[tuple[str, str]] = []
    if not torch.equal(frequencies, held):
        parts.append(partial(changes.content, held, frequencies))
        texts.append((str(mine), str(theirs) if str(mine) != str(theirs) else "other frequencies"))
    if scale != read[0].table.scale:
        parts += list(_scaled(case, read, scale))
        texts.append((f"a factor of {read[0].table.scale:g}", f"{scale:g}"))
    yield Repair(
        code="rope-theta",
        summary=f"{name} makes {' and '.join(t[0] for t in texts)}, the original {' and '.join(t[1] for t in texts)}",
        fix=f"set the rope parameters of the config to {' and '.join(text[1] for text in texts)}",
        apply=changes.together(*parts),
    )


def _read(result: Result, held: torch.Tensor) -> _Read | None:
    """The result as a table of the port's own frequencies; None if it is none."""
    wrong = result.gap.wrong
    positions = _positions(result, wrong)
    if positions is None or len(torch.unique(positions)) < FEWEST or wrong.shape[-1] not in (len(held), 2 * len(held)):
        return None
    for function, repeat in product(("cos", "sin"), REPEATS):
        plain = Table(function, repeat, 1.0).apply(positions, held)
        if plain.shape[-1] != wrong.shape[-1]:
            continue
        scale = float((plain * wrong).sum() / plain.square().sum())
        scale = 1.0 if abs(scale - 1) < 1e-5 else float(f"{scale:.7g}")
        table = Table(function, repeat, scale)
        if reproduces(result.gap, table.apply(positions, held).expand(wrong.shape)):
            return _Read(result, table, positions)
    return None


def _positions(result: Result, wrong: torch.Tensor) -> torch.Tensor | None:
    """The positions that the module was given, or their order; of the shape of the result without its width."""
    if wrong.dim() < 2:
        return None
    for tensor in result.moment.received().values():
        if not tensor.is_floating_point() and tensor.shape[-1] == wrong.shape[-2] and tensor.dim() < wrong.dim():
            return tensor.expand(wrong.shape[:-1])
    return torch.arange(wrong.shape[-2], device=wrong.device).expand(wrong.shape[:-1])


def _original(read: list[_Read], held: torch.Tensor) -> tuple[torch.Tensor, float] | None:
    """The original's frequencies and factor: of a simple form if one explains its tensors, else as they were read."""
    by_function = {each.table.function: each for each in read}
    cos, sin = by_function.get("cos"), by_function.get("sin")
    if cos is None or sin is None or cos.positions.shape != sin.positions.shape:
        return None
    x = cos.table.columns(cos.result.gap.right).flatten(0, -2)
    y = sin.table.columns(sin.result.gap.right).flatten(0, -2)
    scale = float((x.square() + y.square()).sqrt().median())
    near = [value for value in (1.0, cos.table.scale) if abs(scale / value - 1) < 1e-5]
    scale = near[0] if near else float(f"{scale:.7g}")
    raw = recovered(torch.atan2(y, x), cos.positions.flatten())
    if raw is None:
        return None
    for frequencies in (held, Spectrum.of(raw).frequencies(len(held)), raw.to(held.dtype)):
        if all(_holds(each, frequencies.to(held), scale) for each in (cos, sin)):
            return frequencies.to(held), scale
    return raw.to(held), scale


def _holds(read: _Read, frequencies: torch.Tensor, scale: float) -> bool:
    table = replace(read.table, scale=scale).apply(read.positions, frequencies)
    return explains(read.result.gap, table.expand(read.result.gap.right.shape))


def _scaled(case: Case, read: list[_Read], scale: float) -> Iterator[Applied]:
    """The other factor, in the attribute that holds it, or on the results."""
    before = read[0].table.scale
    held = [
        name
        for name, value in vars(case.module).items()
        if isinstance(value, float) and abs(value - before) < 1e-6 * before
    ]
    if held:
        yield partial(changes.setting, case.module, held[0], scale)
        return
    for each in read:
        yield partial(changes.output, case.module, partial(torch.mul, other=scale / before), each.result.leaf)

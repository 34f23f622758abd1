"""``conv-geometry``: another stride, border, dilation or side than the original's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

import torch

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.modules.geometry import Border, Convolution, border_between, convolution_between
from porting.diagnosis.modules.meanings import literal
from porting.diagnosis.modules.results import explains, reproduces, results
from porting.diagnosis.modules.rewiring import Known, recomputed
from porting.diagnosis.scene import Gap
from porting.trace import ModuleInfo

MOST_TENSORS = 6
MOST_CHANNELS = 4
"""Channels of one example that are computed first."""


class ConvGeometry(Cause):
    """A convolution that steps, pads or spreads in another way, with the same kernel."""

    codes: ClassVar = ("conv-geometry",)
    rank: ClassVar = 2

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The geometry that makes the original's result of the same argument and kernel."""
        weight, bias = getattr(case.module, "weight", None), getattr(case.module, "bias", None)
        if not isinstance(weight, torch.Tensor) or not 3 <= weight.dim() <= 5:
            return
        for result in results(case):
            x, gap = result.source, result.gap
            if x is None or result.leaf or x.dim() != weight.dim() or x.shape[1] % weight.shape[1]:
                continue
            theirs = _search(case, gap, x, weight, bias, explains)
            mine = None if theirs is None else _search(case, gap, x, weight, bias, reproduces)
            if theirs is not None and mine != theirs:
                forward = as_forward(partial(theirs.apply, weight=weight, bias=bias))
                yield _repair(mine, theirs, partial(changes.forward, case.module, forward))
                return


class ConvSettings(Cause):
    """A convolution whose settings differ from those of the original's."""

    codes: ClassVar = ("conv-geometry",)
    rank: ClassVar = 0

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The original's settings, all of them at once."""
        module, other = case.module, case.counterpart
        if not isinstance(module, torch.nn.modules.conv._ConvNd) or other is None:
            return
        names = ("stride", "padding", "dilation", "groups", "padding_mode", "output_padding")
        mine, theirs = settings_of(case.info, names), settings_of(other, names)
        changed = {name: theirs[name] for name in names if name in theirs and theirs[name] != mine.get(name)}
        if changed:
            yield Repair(
                code="conv-geometry",
                summary=f"{_listed(changed, mine)}, the original's {_listed(changed, theirs)}",
                fix=f"build the convolution with {_listed(changed, theirs)}",
                apply=partial(_as_built, module, changed),
                recognised=True,
            )


class Padding(Cause):
    """A border put on, or taken off, in another way than the original's, before or after a convolution."""

    codes: ClassVar = ("conv-geometry",)
    rank: ClassVar = 2

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The original's border around the same tensor."""
        for result in results(case):
            x = result.source
            found = None if x is None or result.leaf else _borders(result.gap, x)
            if found is not None and not list(case.module.parameters(recurse=False)):
                yield _border_repair(found, partial(changes.forward, case.module, as_forward(found[1].apply)))
                return
        for gap in case.gaps:
            known = case.known(gap)
            for name in [name for name, tensor in known.items() if tensor.is_floating_point()][-MOST_TENSORS:]:
                found = _borders(gap, known[name])
                if found is not None:
                    yield _border_repair(found, recomputed(case, gap, partial(_bordered, found[1], name)))
                    return


def _borders(gap: Gap, x: torch.Tensor) -> tuple[Border, Border] | None:
    """The port's border and the original's, if both make their tensor of ``x`` and differ."""
    if x.shape == gap.wrong.shape or x.dim() < 3 or x.dim() != gap.wrong.dim():
        return None
    theirs = border_between(x, gap.right, x.dim() - 2, partial(explains, gap))
    mine = None if theirs is None else border_between(x, gap.wrong, x.dim() - 2, partial(reproduces, gap))
    return None if theirs is None or mine is None or mine == theirs else (mine, theirs)


def _border_repair(found: tuple[Border, Border], apply: Any) -> Repair:
    mine, theirs = found
    fix = f"use {theirs}: check padding, its mode and its side (causal) in the config and the code"
    return Repair("conv-geometry", f"it has {mine}, the original {theirs}", fix, apply)


def _bordered(border: Border, name: str, known: Known) -> torch.Tensor:
    return border.apply(known[name])


def _search(case: Case, gap: Gap, x: torch.Tensor, weight: Any, bias: Any, agrees: Any) -> Convolution | None:
    given = [_steps(info, weight.dim() - 2) for info in (case.counterpart, case.info) if info is not None]
    wanted = gap.right if agrees is explains else gap.wrong
    few = None if x.shape[1] != weight.shape[1] else MOST_CHANNELS

    def accept(each: Convolution) -> bool:
        seen = each.apply(x[:1], weight[:few], None if bias is None else bias[:few])
        same = seen.shape[2:] == wanted.shape[2:] and torch.allclose(seen, wanted[:1, :few], rtol=1e-2, atol=1e-3)
        return same and bool(agrees(gap, each.apply(x, weight, bias)))

    return convolution_between(x, weight, gap.right.shape, accept, given)


def _steps(info: ModuleInfo, axes: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    found = settings_of(info, ("stride", "dilation"))
    stride, dilation = (found.get(name, 1) for name in ("stride", "dilation"))
    return _wide(stride, axes), _wide(dilation, axes)


def _wide(value: Any, axes: int) -> tuple[int, ...]:
    return (
        value if isinstance(value, tuple) and len(value) == axes else (value if isinstance(value, int) else 1,) * axes
    )


def settings_of(info: ModuleInfo, names: tuple[str, ...]) -> dict[str, Any]:
    """Settings by name; tuples, which a trace holds as text, as tuples again."""
    found = {name: info.settings[name] for name in names if name in info.settings}
    return {name: literal(value) for name, value in found.items()}


def _listed(names: Any, settings: dict[str, Any]) -> str:
    return " and ".join(f"{name} {settings.get(name)}" for name in names)


def _as_built(module: Any, settings: dict[str, Any]) -> Any:
    """The attributes that the constructor would have set."""
    made = [partial(changes.setting, module, name, value) for name, value in settings.items()]
    padding = settings.get("padding", module.padding)
    if isinstance(padding, tuple):
        repeated = [width for width in reversed(padding) for _ in range(2)]
        made.append(partial(changes.setting, module, "_reversed_padding_repeated_twice", repeated))
    return changes.together(*made)()


def _repair(mine: Convolution | None, theirs: Convolution, apply: Any) -> Repair:
    others = [part for part in theirs.parts() if mine is None or part not in mine.parts()]
    ours = [part for part in mine.parts() if part not in theirs.parts()] if mine else ["another geometry"]
    text = f"the convolution has {' and '.join(ours)}, the original's {' and '.join(others)}"
    return Repair("conv-geometry", text, f"build the convolution with {' and '.join(others)}", apply)


def as_forward(function: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """A function of one tensor as a module's forward: of the floating one among the arguments."""

    def forward(*args: Any, **kwargs: Any) -> torch.Tensor:
        tensors = (each for each in (*args, *kwargs.values()) if isinstance(each, torch.Tensor))
        return function(next(each for each in tensors if each.is_floating_point()))

    return forward

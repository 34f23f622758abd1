"""``pooling``: a pooling layer of another kind than the original's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

import torch
from torch.nn import functional

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.scene import Gap
from porting.noise.floor import FACTOR

Pool = Callable[[torch.Tensor], torch.Tensor]
AVERAGES: dict[int, Callable[..., torch.Tensor]] = {
    3: functional.avg_pool1d,
    4: functional.avg_pool2d,
    5: functional.avg_pool3d,
}
LARGEST: dict[int, Callable[..., torch.Tensor]] = {
    3: functional.max_pool1d,
    4: functional.max_pool2d,
    5: functional.max_pool3d,
}


class PoolingLayer(Cause):
    """A layer that pools windows takes the mean for the largest, or the other way round, or counts the border."""

    codes: ClassVar = ("pooling",)
    rank: ClassVar = 2

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The same windows pooled in another way."""
        gap, moment = case.own_output, case.moments[0]
        given = [t for t in moment.received().values() if t.is_floating_point() and t.dim() in AVERAGES]
        if gap is None or len(given) != 1 or len(case.moments) > 1 or not hasattr(case.module, "kernel_size"):
            return
        if any(True for _ in case.module.parameters()):
            return
        ways = dict(_ways(case.module, given[0].dim()))
        own = next(
            (name for name, pool in ways.items() if _gives(pool, given[0], gap.wrong, gap)), type(case.module).__name__
        )
        for name, pool in ways.items():
            if _gives(pool, given[0], gap.right, gap):
                yield Repair(
                    code="pooling",
                    summary=f"it takes the {own} of each window, the original the {name}",
                    fix=f"take the {name} of each window",
                    apply=partial(changes.forward, case.module, pool),
                )


def _ways(module: torch.nn.Module, dims: int) -> Iterator[tuple[str, Pool]]:
    window: dict[str, Any] = {name: getattr(module, name, default) for name, default in _WINDOW.items()}
    for ceil in (bool(getattr(module, "ceil_mode", False)), not getattr(module, "ceil_mode", False)):
        mark = "" if ceil == bool(getattr(module, "ceil_mode", False)) else f", with ceil_mode={ceil}"
        yield f"largest{mark}", partial(LARGEST[dims], **window, ceil_mode=ceil)
        for counted in (True, False):
            name = f"mean{'' if counted else ' without the padding'}{mark}"
            yield name, partial(AVERAGES[dims], **window, ceil_mode=ceil, count_include_pad=counted)


_WINDOW: dict[str, Any] = {"kernel_size": 1, "stride": None, "padding": 0}


def _gives(pool: Pool, given: torch.Tensor, wanted: torch.Tensor, gap: Gap) -> bool:
    try:
        value = pool(given)
    except (RuntimeError, TypeError):
        return False
    if value.shape != wanted.shape:
        return False
    return float((value - wanted).abs().max()) <= max(FACTOR * gap.floor.max_abs, 1e-6 * float(wanted.abs().max()))

"""``pooling`` as a module: average for maximum, another window, stride or border."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any, ClassVar

import torch
from torch.nn import functional

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.causes.conv_geometry import as_forward, settings_of
from porting.diagnosis.modules.results import explains, reproduces, results
from porting.diagnosis.scene import Gap

_AVERAGE = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}
_LARGEST = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
_ADAPTIVE: dict[str, dict[int, Callable[..., torch.Tensor]]] = {
    "average": {
        1: functional.adaptive_avg_pool1d,
        2: functional.adaptive_avg_pool2d,
        3: functional.adaptive_avg_pool3d,
    },
    "maximum": {
        1: functional.adaptive_max_pool1d,
        2: functional.adaptive_max_pool2d,
        3: functional.adaptive_max_pool3d,
    },
}
WINDOWS = (2, 3, 4, 5, 7)
Pool = Callable[[torch.Tensor], torch.Tensor]


class PoolingModule(Cause):
    """A module without weights that pools in another way than the original."""

    codes: ClassVar = ("pooling",)
    rank: ClassVar = 2

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The pooling that makes the original's result of the same argument."""
        if any(True for _ in case.module.parameters()):
            return
        for result in results(case):
            x, gap = result.source, result.gap
            if x is None or result.leaf or not 3 <= x.dim() <= 5 or x.shape[:2] != gap.right.shape[:2]:
                continue
            theirs = _recognised(case, x, gap, explains)
            mine = None if theirs is None else _recognised(case, x, gap, reproduces)
            if theirs is not None and mine is not None and mine[0] != theirs[0]:
                yield Repair(
                    code="pooling",
                    summary=f"it pools by {mine[0]}, the original by {theirs[0]}",
                    fix=f"pool by {theirs[0]}",
                    apply=partial(changes.forward, case.module, as_forward(theirs[1])),
                )
                return


def _recognised(case: Case, x: torch.Tensor, gap: Gap, agrees: Any) -> tuple[str, Pool] | None:
    for text, pool in _candidates(case, x, gap.right.shape):
        try:
            if agrees(gap, pool(x)):
                return text, pool
        except RuntimeError:
            continue
    return None


def _candidates(case: Case, x: torch.Tensor, shape: torch.Size) -> Iterator[tuple[str, Pool]]:
    axes = x.dim() - 2
    adaptive = [
        (f"{kind} to size {tuple(shape[2:])}", partial(functions[axes], output_size=tuple(shape[2:])))
        for kind, functions in _ADAPTIVE.items()
        if len(shape) == x.dim()
    ]
    whole = all(length == 1 for length in shape[2:])
    yield from adaptive if whole else ()
    given = [_window(info) for info in (case.counterpart, case.info) if info is not None]
    windows = dict.fromkeys([each for each in given if each] + [(k, s) for k in WINDOWS for s in {k, 1, 2}])
    for (kernel, stride), ceil in product(windows, (False, True)):
        widest = kernel if isinstance(kernel, int) else min(kernel)
        for padding in range(widest // 2 + 1):
            text = f"window {kernel}, stride {stride}, padding {padding}" + (", rounding up" if ceil else "")
            yield (
                f"maximum, {text}",
                partial(_LARGEST[axes], kernel_size=kernel, stride=stride, padding=padding, ceil_mode=ceil),
            )
            for counted in (True, False) if padding else (True,):
                average = partial(
                    _AVERAGE[axes], kernel_size=kernel, stride=stride, padding=padding, ceil_mode=ceil,
                    count_include_pad=counted,
                )  # fmt: skip
                yield f"average, {text}" + ("" if counted else ", without the padding"), average
    yield from () if whole else adaptive


def _window(info: Any) -> tuple[Any, Any] | None:
    found = settings_of(info, ("kernel_size", "stride"))
    kernel = found.get("kernel_size")
    return None if not isinstance(kernel, (int, tuple)) else (kernel, found.get("stride") or kernel)

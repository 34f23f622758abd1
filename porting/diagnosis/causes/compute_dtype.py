"""``compute-dtype``: the same, computed in lower precision."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

import torch

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.modules.intercepting import functions_used, intercepted, name_of
from porting.diagnosis.modules.results import explains, results

LOW = (torch.bfloat16, torch.float16)
_CASTS = {"half": torch.float16, "bfloat16": torch.bfloat16}


class ComputeDtype(Cause):
    """The module computes in a half-precision dtype on the way, or the original does."""

    codes: ClassVar = ("compute-dtype",)
    rank: ClassVar = 2

    def repairs(self, case: Case) -> Iterator[Repair]:
        """Everything in float32 while the module runs; or its result rounded as the original's is."""
        dtypes = [_dtype_of(used.result) for used in functions_used(case.moments[0])]
        low = next((dtype for dtype in dtypes if dtype in LOW), None) or _rounded_to(case)
        if low is not None:
            name = str(low).removeprefix("torch.")
            yield Repair(
                code="compute-dtype",
                summary=f"it computes in {name} on the way, the original in float32",
                fix=f"leave out the cast to {name} (or the autocast), or cast to float32 before this computation",
                apply=partial(intercepted, case.module, _instead),
            )
        yield from _rounded(case)


def _rounded_to(case: Case) -> torch.dtype | None:
    """The half-precision dtype that what goes wrong is in, or was rounded to, where the original's is not."""
    for gap in case.gaps:
        for dtype in LOW:
            if gap.right.dtype not in LOW and (gap.wrong.dtype == dtype or _is_rounded(gap.wrong, dtype)):
                return None if _is_rounded(gap.right, dtype) else dtype
    return None


def _rounded(case: Case) -> Iterator[Repair]:
    for result in results(case):
        gap = result.gap
        for dtype in LOW:
            if (
                _is_rounded(gap.right, dtype)
                and not _is_rounded(gap.wrong, dtype)
                and explains(gap, gap.wrong.to(dtype).to(gap.wrong.dtype))
            ):
                name = str(dtype).removeprefix("torch.")
                yield Repair(
                    code="compute-dtype",
                    summary=f"its result is not rounded, the original's is rounded to {name}",
                    fix=f"compute in {name} here, as the original does",
                    apply=partial(changes.output, case.module, partial(_through, dtype=dtype), result.leaf),
                )


@torch.no_grad()
def _through(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return tensor.to(dtype).to(tensor.dtype)


def _is_rounded(tensor: torch.Tensor, dtype: torch.dtype) -> bool:
    return tensor.dtype not in LOW and tensor.is_floating_point() and torch.equal(_through(tensor, dtype), tensor)


def _instead(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
        if name_of(function) in _CASTS:
            return args[0].float()
        return function(*(_high(value) for value in args), **{key: _high(value) for key, value in kwargs.items()})


def _high(value: Any) -> Any:
    if isinstance(value, (tuple, list)) and any(isinstance(each, torch.Tensor) for each in value):
        return type(value)([_high(each) for each in value])
    if isinstance(value, torch.Tensor):
        return _up(value)
    return torch.float32 if isinstance(value, torch.dtype) and value in LOW else value


def _up(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.dtype in LOW else tensor


def _dtype_of(value: Any) -> torch.dtype | None:
    return value.dtype if isinstance(value, torch.Tensor) else None

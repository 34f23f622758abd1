"""``softmax-axis``: a softmax that is a module, set to another axis than the original's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair

AXES = ("dim", "axis")


class SoftmaxAxis(Cause):
    """The setting of the axis differs."""

    codes: ClassVar = ("softmax-axis",)
    rank: ClassVar = 0

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The original's axis in the port's attribute."""
        if case.counterpart is None or "softmax" not in type(case.module).__name__.lower():
            return
        for name in AXES:
            own, wanted = case.info.settings.get(name), case.counterpart.settings.get(name)
            if isinstance(own, int) and isinstance(wanted, int) and own != wanted:
                yield Repair(
                    "softmax-axis",
                    f"the softmax runs along axis {own}, the original's along axis {wanted}",
                    f"build the softmax with {name}={wanted}",
                    partial(changes.setting, case.module, name, wanted),
                    recognised=True,
                )

"""``norm-eps``: another epsilon than the original's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair


class NormEps(Cause):
    """A setting named like an epsilon differs from the original's."""

    codes: ClassVar = ("norm-eps",)
    rank: ClassVar = 0

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The original's value in the port's attribute."""
        if case.counterpart is None:
            return
        theirs = {name: value for name, value in case.counterpart.settings.items() if _is_epsilon(name, value)}
        for name, value in case.info.settings.items():
            if not _is_epsilon(name, value):
                continue
            for original_name, wanted in theirs.items():
                if wanted != value:
                    yield Repair(
                        code="norm-eps",
                        summary=f"{name} is {value:g}, the original's {original_name} is {wanted:g}",
                        fix=f"build the norm with an epsilon of {wanted:g}, from the config",
                        apply=partial(changes.setting, case.module, name, wanted),
                        recognised=True,
                    )


def _is_epsilon(name: str, value: object) -> bool:
    return "eps" in name.lower() and isinstance(value, float)

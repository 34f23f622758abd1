"""``softcap``: logits or scores that only one side caps."""

from __future__ import annotations

from typing import ClassVar

from porting.diagnosis.cause import Case
from porting.diagnosis.relating import Reading, Related, RelationCause


class Capped(RelationCause):
    """A soft cap that is missing, or should not be there."""

    codes: ClassVar = ("softcap",)
    rank: ClassVar = 3

    def reading(self, case: Case, found: Related) -> Reading | None:
        """``c * tanh(x / c)`` of the wrong tensor, or its inverse."""
        if found.kind != "softcapped":
            return None
        cap = float(found.relation.parameters["cap"])  # type: ignore[arg-type]
        extra = found.relation.parameters["ported"] == "softcap"
        fix = f"leave out the soft cap of {cap:g}" if extra else f"apply {cap:g} * tanh(x / {cap:g})"
        return Reading("softcap", f"it is {found.relation.text}", fix)

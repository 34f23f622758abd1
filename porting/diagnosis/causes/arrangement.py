"""``concat-order``, ``head-reshape``, ``layout``: the right values in other places."""

from __future__ import annotations

from typing import ClassVar

from porting.diagnosis.cause import Case
from porting.diagnosis.glue.relating import Reading, Related, RelationCause


class Arrangement(RelationCause):
    """The tensor holds what the original's holds, in another arrangement."""

    codes: ClassVar = ("concat-order", "head-reshape", "layout")
    rank: ClassVar = 3

    def reading(self, case: Case, found: Related) -> Reading | None:
        """Exchanged axes, regrouped heads, blocks in another order."""
        if found.kind in ("axes exchanged", "heads regrouped"):
            shape, axes = found.relation.parameters["shape"], found.relation.parameters["axes"]
            code = "head-reshape" if found.kind == "heads regrouped" else "layout"
            return Reading(code, f"the values are right: {found.relation.text}", f"reshape to {shape}, permute {axes}")
        if found.kind == "permuted":
            return _permuted(found)
        return None


def _permuted(found: Related) -> Reading | None:
    name = found.relation.parameters["name"]
    last = found.relation.parameters["axis"] == found.gap.right.dim() - 1
    summary = f"the values are right, but {found.relation.text}"
    if name in ("blocks", "rotation"):
        return Reading("concat-order", summary, "concatenate the parts in the original's order")
    if name == "regrouping" and last:
        groups = found.relation.parameters["groups"]
        return Reading("head-reshape", summary, f"read the last axis in groups of {groups}, as the original does")
    if name in ("regrouping", "reversal"):
        return Reading("layout", summary, "put the axis into the original's order")
    return None

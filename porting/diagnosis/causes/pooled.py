"""``pooling``: another summary of a sequence or an image than the original's."""

from __future__ import annotations

from typing import ClassVar

from porting.diagnosis.cause import Case
from porting.diagnosis.glue.relating import Reading, Related, RelationCause
from porting.diagnosis.glue.roles import Role


class Pooled(RelationCause):
    """The original takes another pooling of a known tensor."""

    codes: ClassVar = ("pooling",)
    rank: ClassVar = 3

    def reading(self, case: Case, found: Related) -> Reading | None:
        """The mean, the largest, the first or the last along an axis."""
        if found.kind != "pooled":
            return None
        if any(Role(case, name).original for name in found.terms):
            return None
        original = found.relation.parameters["original"]
        return Reading("pooling", f"it is {found.relation.text}", f"take the {original} of {found.terms[0]}")

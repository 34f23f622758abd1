"""``missing-embedding`` and ``missing-bias``: a learned tensor that is not added."""

from __future__ import annotations

from typing import ClassVar

from porting.diagnosis.cause import Case
from porting.diagnosis.glue.relating import Reading, Related, RelationCause
from porting.diagnosis.glue.roles import Role


class MissingEmbedding(RelationCause):
    """An embedding or a table of positions is not added, or is in place of another."""

    codes: ClassVar = ("missing-embedding",)
    rank: ClassVar = 3

    def reading(self, case: Case, found: Related) -> Reading | None:
        """A missing term that an embedding made, or that is a table."""
        if found.kind != "missing" or found.relation.parameters["factor"] != 1:
            return None
        role = Role(case, found.terms[0])
        if not role.is_embedding:
            return None
        return Reading("missing-embedding", found.relation.text, f"add {role.name} to it, as the original does")


class MissingBias(RelationCause):
    """A vector of parameters is not added."""

    codes: ClassVar = ("missing-bias",)
    rank: ClassVar = 3

    def reading(self, case: Case, found: Related) -> Reading | None:
        """A missing term with one value for each channel."""
        if found.kind != "missing" or found.relation.parameters["factor"] != 1:
            return None
        role = Role(case, found.terms[0])
        if not role.is_vector or role.is_embedding:
            return None
        return Reading(
            "missing-bias", found.relation.text, f"add {role.name}: build the layer with a bias and load it"
        )


class PositionOffset(RelationCause):
    """The positions that go into an embedding are further on, or less far, than the original's."""

    codes: ClassVar = ("position-offset",)
    rank: ClassVar = 3

    def reading(self, case: Case, found: Related) -> Reading | None:
        """An integer tensor that is the original's plus a constant; a table that is read from another row on."""
        if (
            found.kind == "offset"
            and not found.gap.right.is_floating_point()
            and "axis" not in found.relation.parameters
        ):
            by = int(float(found.relation.parameters["offset"]))  # type: ignore[arg-type]
            return Reading(
                "position-offset",
                f"the indices are off: {found.relation.text}",
                f"{'add' if by > 0 else 'subtract'} {abs(by)} {'to' if by > 0 else 'from'} the positions",
            )
        if found.kind in ("other tensor", "replaced") and len(set(found.terms)) == 1 and len(found.terms) == 2:
            role = Role(case, found.terms[0])
            if role.is_embedding and len(role.shape) > 1:
                return Reading(
                    "position-offset", found.relation.text, f"read the same rows of {role.name} as the original"
                )
        return None

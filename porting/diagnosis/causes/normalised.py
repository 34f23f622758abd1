"""``missing-norm`` and ``norm-type``: the original's tensor is a norm of what the port has there."""

from __future__ import annotations

from typing import ClassVar

from porting.diagnosis.cause import Case
from porting.diagnosis.glue.relating import Reading, Related, RelationCause

TYPES = {"layer": "layer norm", "rms": "RMS norm", "l2": "scaling to unit length"}


class Normalised(RelationCause):
    """A norm that only the original applies, or one of another type."""

    codes: ClassVar = ("missing-norm", "norm-type")
    rank: ClassVar = 3

    def reading(self, case: Case, found: Related) -> Reading | None:
        """A norm of the wrong tensor, or two norms of one known tensor."""
        original, ported = (str(found.relation.parameters.get(side, "")) for side in ("original", "ported"))
        if found.kind != "normalised" or original not in TYPES or original == ported:
            return None
        if not ported and "of" in found.relation.parameters:
            return None  # what the port has there is something else, and a norm is not all that is missing
        eps = float(found.relation.parameters["eps"])  # type: ignore[arg-type]
        fix = f"apply {_article(TYPES[original])} along axis {found.relation.parameters['axis']}, eps about {eps:.3g}"
        return Reading("norm-type" if ported else "missing-norm", f"it is {found.relation.text}", fix)


def _article(name: str) -> str:
    return f"an {name}" if name[0] == "R" else f"a {name}"

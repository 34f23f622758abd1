"""Step 1 of the recipe: whether Transformers has the model already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import Figures, Inconclusive, Lacking
from porting.evidence.asking import note
from porting.text import show

if TYPE_CHECKING:
    from porting.checks.shared.context import CheckContext

STEP = 1
TOLD = 3
"""How many of the nearest architectures are told."""


def check_nearest_named(context: CheckContext) -> Figures:
    """The architectures of Transformers nearest to the checkpoint are known.

    Recipe step 1, "the nearest model": many a port was of a model that is there unmodified. Shapes cannot tell models
    apart that compute something else with the same tensors, so that whichever is found refutes nothing: the figures
    say what fits, and what a model of that class has that was built without memory, for a person to look at.

    Raises:
        Lacking: the portfile has no ``checkpoint()``, or the installed Transformers is not indexed yet.
        Inconclusive: the checkpoint holds no tensors.
    """
    with context.whatever_values():
        path = context.portfile.checkpoint()
    if path is None:
        raise Lacking(
            "without checkpoint() there are no tensors to compare with the architectures of Transformers",
            hint="add checkpoint() to the portfile: the path of the original's checkpoint",
        )
    from porting.nearest import conclusion, is_indexed, nearest_architectures, prove
    from porting.weights import read_headers

    if not is_indexed():
        raise Lacking(
            "the architectures of the installed Transformers are not indexed yet, which takes a few minutes once",
            hint=f"porting new any_name --nearest --checkpoint {show(path)}",
        )

    note("version transformers")
    tensors = read_headers(path).tensors
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    found = prove(nearest_architectures(shapes, limit=TOLD), shapes)
    if not found:
        raise Inconclusive(f"{show(path.name)} holds no tensors of weights", figures={"tensors": len(tensors)})
    return {
        "nearest": ", ".join(show(each.model_type, 60) for each in found),
        "share": round(found[0].share, 4),
        "verdict": found[0].verdict,
        "built": found[0].proof.statement() if found[0].proof else "nothing",
        "conclusion": conclusion(found),
    }


CHECKS = (check_nearest_named,)

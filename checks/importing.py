"""Step 3 of the recipe: the environment in which the original runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Lacking
from porting.text import show

if TYPE_CHECKING:
    from porting.checks.shared.context import CheckContext

STEP = 3


def check_original_imports(context: CheckContext) -> Figures:
    """The interpreter that runs the original imports what ``original()`` imports, and torch, JAX or TensorFlow.

    Recipe step 3. ``original()`` runs there until its last import; of a recorded original the trace says what made it.

    Raises:
        ClaimRefuted: an import fails, or there is no framework.
        Lacking: there is no ``original()``, and no trace of it.
    """
    from porting.environment.imports import import_original

    portfile = context.portfile
    if portfile.original_trace is not None:
        return _recorded(context)
    if "original" not in portfile.functions or not portfile.path.is_file():
        raise Lacking("there is no portfile with an original()", hint="write original() in the portfile")
    found = import_original(portfile)
    figures: Figures = {"interpreter": found.interpreter, "python": found.python, **found.frameworks}
    if found.problem:
        raise ClaimRefuted(
            f"the imports of original() fail under {show(found.interpreter)}: {show(found.problem, 500)}",
            hint="install the original there, or name its interpreter: ORIGINAL_PYTHON in the portfile",
            figures=figures,
        )
    if not found.frameworks:
        raise ClaimRefuted(
            f"{show(found.interpreter)} imports neither torch nor JAX nor TensorFlow",
            hint="install the framework of the original there",
            figures=figures,
        )
    return figures


CHECKS = (check_original_imports,)


def _recorded(context: CheckContext) -> Figures:
    """What a trace says of the environment that it was made in."""
    from porting.trace import open_trace

    assert context.portfile.original_trace is not None
    versions = open_trace(context.portfile.original_trace).run.get("versions")
    if not isinstance(versions, dict) or not versions:
        raise Lacking("the recorded trace does not say what it was made with", hint="record it with its versions")
    return {str(name): str(version) for name, version in versions.items()}

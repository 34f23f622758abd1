"""Step 13 of the recipe: the notebook, which is optional."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.publishing import require_written, text_of
from porting.checks.shared.outcomes import ClaimRefuted, Figures
from porting.text import show

if TYPE_CHECKING:
    from porting.checks.shared.context import CheckContext

STEP = 13


def check_notebook(context: CheckContext) -> Figures:
    """The notebook's code runs from top to bottom, and nothing in it is left to be written.

    Recipe step 13: ``NAME.ipynb`` beside the portfile. It runs in a process of its own, without a network; where it
    loads ``HUB_ID``, the converted folder stands for it.

    Raises:
        ClaimRefuted: it is none of format 4, has no code, or a cell raises.
        Lacking: there is no notebook, or parts of it are left to be written.
    """
    from porting.documents.notebook import NotebookError, program_of
    from porting.documents.reading import left_in
    from porting.documents.trying import fault_of
    from porting.stubs.literals import pylit, snake
    from porting.weights.conversion.latest import converted_folder

    path = context.portfile.folder / f"{snake(context.portfile.model_name)}.ipynb"
    text = text_of(context, path, "notebook")
    require_written(context, path, left_in(text), "notebook")
    hint = f"mend it, then: {context.command('check check_notebook')}"
    try:
        cells = program_of(text)
    except NotebookError as error:
        raise ClaimRefuted(f"{show(path.name)}: {error.message}", hint=hint) from error
    folder, hub_id = converted_folder(context.portfile.folder), context.portfile.constants.get("HUB_ID")
    program = "\n\n".join(cells)
    if folder is not None and isinstance(hub_id, str):
        program = program.replace(pylit(hub_id), pylit(str(folder)))
    fault = fault_of(program, context.portfile.folder) if cells else "it has no code"
    if fault:
        raise ClaimRefuted(f"{show(path.name)} does not run: {fault}", hint=hint, figures={"cells": len(cells)})
    return {"cells": len(cells)}


CHECKS = (check_notebook,)

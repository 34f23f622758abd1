"""Step 13 of the recipe, which is optional: a notebook that shows the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.publishing import require_written, text_of
from porting.checks.shared.outcomes import ClaimRefuted, Figures, Lacking, Skip
from porting.checks.shared.working import folder_for_hub
from porting.evidence.asking import note
from porting.text import show

if TYPE_CHECKING:
    from porting.checks.shared.context import CheckContext

STEP = 13
SECONDS = 900.0


def check_notebook_runs(context: CheckContext) -> Figures:
    """The notebooks in the working folder run from top to bottom, with nothing left to be written.

    Recipe step 13. Each runs in a process of its own, without the Hub, for a limited time; where one
    loads ``HUB_ID``, the converted folder stands for it.

    Raises:
        ClaimRefuted: a cell raises, there is none, or the end is not reached in time.
        Skip: there is no notebook.
        Lacking: one is for IPython, which is not installed, or parts of one are left to be written.
    """
    from porting.documents.reading import left_in
    from porting.notebooks import INSTALL, has_ipython, needs_ipython, run_notebook

    note(f"folder {context.portfile.folder / '*.ipynb'}")
    paths = sorted(context.portfile.folder.glob("*.ipynb"))
    if not paths:
        raise Skip("there is no notebook in the working folder, and the recipe asks for none")
    context.reads(*paths)
    cells = 0
    for path in paths:
        require_written(context, path, left_in(text_of(context, path, "notebook")), "notebook")
        if needs_ipython(path) and not has_ipython():
            raise Lacking(f"{show(path.name)} has lines that only IPython understands", hint=INSTALL)
        ran = run_notebook(path, seconds=SECONDS, standing_for=folder_for_hub(context))
        cells += ran.cells
        if ran.problem or not ran.cells:
            raise ClaimRefuted(
                f"{show(path.name)}: {ran.problem or 'it has no code'}",
                hint="restart its kernel, run all cells, and mend that one",
                figures={"notebooks": len(paths), "cells": cells},
            )
    return {"notebooks": len(paths), "cells": cells}


CHECKS = (check_notebook_runs,)

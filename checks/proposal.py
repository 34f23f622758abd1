"""Step 14 of the recipe: the text of the pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.publishing import require_right, require_written, text_of
from porting.checks.shared.outcomes import Figures
from porting.evidence.asking import note

if TYPE_CHECKING:
    from porting.checks.shared.context import CheckContext

STEP = 14


def check_pull_request(context: CheckContext) -> Figures:
    """The pull request's text shows today's evidence, says whether AI assisted, and has nothing left to be written.

    Recipe step 14: ``pull-request.md`` beside the portfile. The evidence is of the steps before this one.

    Raises:
        ClaimRefuted: the evidence is of an earlier state, or the line about AI is missing.
        Lacking: there is no text, or parts of it are left to be written.
    """
    from porting.checklist import make_checklist
    from porting.documents.pullrequest import pull_request_path, states_of
    from porting.documents.reading import left_in, pull_request_faults

    path = pull_request_path(context.portfile)
    text = text_of(context, path, "pull-request")
    require_written(context, path, left_in(text), "pull-request")
    note(f"evidence {STEP}")
    found = list(pull_request_faults(text, states_of(make_checklist(context.portfile))))
    require_right(path, found, f"write its evidence anew: {context.command('write pull-request')}")
    return {"lines": len(text.splitlines())}


CHECKS = (check_pull_request,)

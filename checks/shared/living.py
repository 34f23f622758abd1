"""What a person can do where a claim needs the original live, and it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import Lacking

if TYPE_CHECKING:
    from porting.checks.shared.context import CheckContext


def require_live(context: CheckContext, claim: str, by_hand: str) -> None:
    """Require that the original can be run here as often as a claim needs it.

    Args:
        context: of the check.
        claim: its name, for the tick.
        by_hand: how a person finds it out.

    Raises:
        Lacking: it is recorded, or runs in another interpreter; the hint says how what was found by hand is told.
    """
    if context.original_is_live:
        return
    recorded = context.portfile.original_trace is not None
    where, which = ("is a recorded one", "TRACE") if recorded else ("runs in another interpreter", "PYTHON")
    raise Lacking(
        f"the original {where}, and this needs it here, without ORIGINAL_{which}; by hand: {by_hand}",
        hint=f"where original() cannot run here, find it out by hand, then: "
        f"{context.command(f'checklist --tick {claim} --by NAME --reason TEXT')}",
    )

"""The six states of a claim and of a step, and which of several counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Collection

State = Literal["done", "failed", "stale", "to do", "by hand", "not applicable"]
STATES: tuple[State, ...] = get_args(State)
OPEN: tuple[State, ...] = ("failed", "stale", "to do")
"""What asks for something to be done, the gravest first."""


def is_open(state: State) -> bool:
    """Whether something is left to be done."""
    return state in OPEN


def joint_state(required: Collection[State], optional: Collection[State] = ()) -> State:
    """The state of several claims together: the gravest open one; else what was done, and by whom.

    Args:
        required: states of the claims that have to be settled; nothing at all is to do.
        optional: states of the others: they count for what was done, and never as open.
    """
    for state in OPEN:
        if state in required:
            return state
    settled = {state for state in (*required, *optional) if not is_open(state)}
    if not required or not settled:
        return "to do"
    if settled == {"not applicable"}:
        return "not applicable"
    return "by hand" if "by hand" in settled else "done"

"""The checklist: what the evidence says of every claim of the recipe, what to do next, and what a person says.

``making`` puts it together, ``judging`` says what the records of one claim amount to, ``ticking`` keeps what a person
says, and ``running`` runs the checks that are open.
"""

from __future__ import annotations

from porting.checklist.following import Next
from porting.checklist.listed import ListedClaim, ListedStep
from porting.checklist.making import make_checklist
from porting.checklist.result import Checklist
from porting.checklist.running import run_open
from porting.checklist.states import OPEN, STATES, State
from porting.checklist.ticking import TickError, set_aside, tick, untick

__all__ = [
    "OPEN",
    "STATES",
    "Checklist",
    "ListedClaim",
    "ListedStep",
    "Next",
    "State",
    "TickError",
    "make_checklist",
    "run_open",
    "set_aside",
    "tick",
    "untick",
]

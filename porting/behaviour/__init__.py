"""What one model does when it is run otherwise: other batches, padding, precision, caches. Nothing is compared across
the two sides here, and no verdict is given: the checks do both.
"""

from __future__ import annotations

from porting.behaviour.agreement import Agreement, agree
from porting.behaviour.repeating import (
    Parting,
    changed_statistics,
    parting_by_repetition,
    parting_by_seed,
    statistics_of,
    training_modules,
)
from porting.behaviour.subject import Subject

__all__ = [
    "Agreement",
    "Parting",
    "Subject",
    "agree",
    "changed_statistics",
    "parting_by_repetition",
    "parting_by_seed",
    "statistics_of",
    "training_modules",
]

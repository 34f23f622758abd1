"""What one model does when it is run otherwise: other batches, padding, precision, caches. Nothing is compared across
the two sides here, and no verdict is given: the checks do both.
"""

from __future__ import annotations

from porting.behaviour.agreement import Agreement, agree
from porting.behaviour.material import Material
from porting.behaviour.positions import PositionIds
from porting.behaviour.repeating import (
    Parting,
    changed_statistics,
    parting_by_repetition,
    parting_by_seed,
    statistics_of,
    training_modules,
)
from porting.behaviour.rows import batch_of, row_trials
from porting.behaviour.subject import Subject
from porting.behaviour.texts import Text, long_text, plain_text
from porting.behaviour.trials import Trial, part_of, same_places

__all__ = [
    "Agreement",
    "Material",
    "Parting",
    "PositionIds",
    "Subject",
    "Text",
    "Trial",
    "agree",
    "batch_of",
    "changed_statistics",
    "long_text",
    "part_of",
    "parting_by_repetition",
    "parting_by_seed",
    "plain_text",
    "row_trials",
    "same_places",
    "statistics_of",
    "training_modules",
]

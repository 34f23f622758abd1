"""What one model does when it is run otherwise: other batches, padding, precision, caches. Nothing is compared across
the two sides here, and no verdict is given: the checks do both.
"""

from __future__ import annotations

from porting.behaviour.agreement import Agreement, agree
from porting.behaviour.checkpointing import (
    Checkpointing,
    CheckpointingError,
    supports_checkpointing,
    with_checkpointing,
)
from porting.behaviour.flags import outputs_with, takes, tuple_outputs
from porting.behaviour.gradients import backward_of
from porting.behaviour.kernels import Implementations, can_change_attention, under_each_implementation
from porting.behaviour.learning import Learning, learning_of
from porting.behaviour.material import Material
from porting.behaviour.positions import PositionIds
from porting.behaviour.precision import (
    Half,
    first_lossy,
    first_nonfinite,
    in_half,
    largest_inside,
    losses,
    rounded_outputs,
)
from porting.behaviour.repeating import (
    Parting,
    changed_statistics,
    parting_by_repetition,
    parting_by_seed,
    statistics_of,
    training_modules,
)
from porting.behaviour.rows import batch_of, row_trials
from porting.behaviour.subject import Subject, named_tensors
from porting.behaviour.texts import Text, long_text, plain_text
from porting.behaviour.trials import Trial, part_of, same_places

__all__ = [
    "Agreement",
    "Checkpointing",
    "CheckpointingError",
    "Half",
    "Implementations",
    "Learning",
    "Material",
    "Parting",
    "PositionIds",
    "Subject",
    "Text",
    "Trial",
    "agree",
    "backward_of",
    "batch_of",
    "can_change_attention",
    "changed_statistics",
    "first_lossy",
    "first_nonfinite",
    "in_half",
    "largest_inside",
    "learning_of",
    "long_text",
    "losses",
    "named_tensors",
    "outputs_with",
    "part_of",
    "parting_by_repetition",
    "parting_by_seed",
    "plain_text",
    "rounded_outputs",
    "row_trials",
    "same_places",
    "statistics_of",
    "supports_checkpointing",
    "takes",
    "training_modules",
    "tuple_outputs",
    "under_each_implementation",
    "with_checkpointing",
]

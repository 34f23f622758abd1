"""The port behind ``transformers.pipeline``: what that answers, alone and in batches, and what the port answers."""

from __future__ import annotations

from porting.pipelines.asking import Disagreement, Interview, NotAskableError, PipelineFailedError
from porting.pipelines.equipment import Equipment
from porting.pipelines.tasks import Task, tasks_of

__all__ = [
    "Disagreement",
    "Equipment",
    "Interview",
    "NotAskableError",
    "PipelineFailedError",
    "Task",
    "tasks_of",
]

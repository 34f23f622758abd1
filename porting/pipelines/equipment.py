"""What turns questions into inputs: the tokenizer or the processor that a task needs, and the questions themselves."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from porting.pipelines.tasks import Task

TEXTS = (
    "Hi there.",
    "The cat sat on the mat, and the dog looked on.",
    "Paris",
    "Numbers such as 3, 14 and 159 are read by nobody; words are.",
)
"""Questions of different lengths."""


@dataclass(frozen=True, slots=True)
class Equipment:
    """What turns questions into inputs.

    Attributes:
        tokenizer: for texts.
        processor: for images or sounds.
    """

    tokenizer: Any = None
    processor: Any = None

    def of(self, task: Task) -> dict[str, Any]:
        """Copies for a pipeline, which changes some of their settings; empty if a task's own is missing."""
        if task.material == "text":
            return {} if self.tokenizer is None else {"tokenizer": copy.deepcopy(self.tokenizer)}
        if task.writes and self.tokenizer is None:
            return {}
        name = "image_processor" if task.material == "image" else "feature_extractor"
        part = getattr(self.processor, name, self.processor)
        if part is None or not callable(part):
            return {}
        return {name: copy.deepcopy(part)} | ({"tokenizer": copy.deepcopy(self.tokenizer)} if task.writes else {})

"""The ``position_ids`` of a port: which of them are those that it counts by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from porting.behaviour.material import Material, Tensors
from porting.behaviour.subject import Subject
from porting.behaviour.texts import Text
from porting.behaviour.trials import Trial, same_places
from porting.errors import CaptureError


@dataclass(frozen=True)
class PositionIds:
    """Explicit positions of a text.

    Attributes:
        text: whose positions.
        name: under which the port takes them.
        starts: from where models count: 0, or past the rows that a table keeps for padding.
    """

    text: Text
    name: str
    starts: tuple[int, ...]

    @classmethod
    def of(cls, material: Material) -> PositionIds | None:
        """For the port's text; None if its forward takes no ``position_ids``, or is given some already."""
        text = Text.of(material)
        name = "decoder_position_ids" if text and text.tokens[0].startswith("decoder") else "position_ids"
        if text is None or name not in material.parameters or name in material.found.tensors:
            return None
        return cls(text, name, tuple(dict.fromkeys((0, 1, 2, text.padding + 1))))

    def explicit(self, tensors: Tensors, start: int = 0) -> dict[str, torch.Tensor]:
        """With positions counted from ``start`` over what the mask lets count; 0 elsewhere."""
        counted = self.text.counted(tensors)
        return {**tensors, self.name: (counted.long().cumsum(-1) - 1).clamp(min=0) + start}

    def reversed(self, tensors: Tensors, start: int) -> dict[str, torch.Tensor]:
        """With the positions turned round, for a text without padding."""
        made = self.explicit(tensors, start)
        return {**made, self.name: made[self.name].flip(-1)}

    def start(self, tensors: Tensors, subject: Subject, material: Material) -> int | None:
        """From where the port counts the positions of a text without padding; None if from none of `starts`."""
        for start in self.starts:
            what = "position ids that are passed against those that the port counts by itself"
            trial = Trial(what, tensors, self.explicit(tensors, start), same_places)
            try:
                agreement = trial.run_ported(subject, material)
            except CaptureError:
                continue
            if agreement.compared and not agreement.wrong:
                return start
        return None

    def from_mask(self, trial: Trial, subject: Subject, material: Material) -> Trial | None:
        """A trial of padding with positions counted from the mask; None if the port counts in its own way."""
        start = self.start(trial.base, subject, material)
        return None if start is None else replace(trial, other=self.explicit(trial.other, start))

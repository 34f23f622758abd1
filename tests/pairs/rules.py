"""How each original's tensors become the port's: rules written by hand, which the pairs are built with."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pairs.audio_rules import AUDIO
from pairs.language_rules import LANGUAGE
from pairs.renaming import Rules
from pairs.vision_rules import VISION

from porting.weights import apply_rules
from porting.weights.report import Spec
from porting.weights.rules.planning import plan

RULES = {**LANGUAGE, **VISION, **AUDIO}


def rules_of(name: str) -> Rules:
    """The rules of a pair; no original is imported."""
    return RULES[name]


def converted(name: str, state: Mapping[str, torch.Tensor], config: object) -> dict[str, torch.Tensor]:
    """The port's state dict, of its original's."""
    return apply_rules(RULES[name], state, config=config)


def renamed_modules(name: str, state: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Original path to ported path of the modules whose weight changes its name only."""
    steps = plan(RULES[name], {each: Spec.of(tensor) for each, tensor in state.items()}).steps
    names = [(step.sources[0], step.targets[0]) for step in steps if step.is_rename]
    end = ".weight"
    return {a.removesuffix(end): b.removesuffix(end) for a, b in names if a.endswith(end) and b.endswith(end)}

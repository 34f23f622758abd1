"""What a mapping must do: load the original's checkpoint and the port's, and save both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from emitted import differing, known_mapping, load, saved, write

from porting.weights import apply_rules
from porting.weights.emitting import Emitted
from porting.weights.rules.rule import Rule

State = dict[str, torch.Tensor]


def check_mapping(
    emitted: Emitted, model: Any, state: State, rules: Sequence[Rule], folder: Path
) -> tuple[State, State]:
    """Load the original, save it both ways, load both again; what is saved as the original's, and as the port's."""
    kind = type(model)
    expected = apply_rules(rules, state, config=model.config)
    original = write(folder / "original", state, model.config)
    with known_mapping(emitted) as module:
        ignored = module.get("KEYS_TO_IGNORE", [])
        with mock.patch.object(kind, "_keys_to_ignore_on_load_unexpected", ignored, create=True):
            loaded = load(kind, original)
            assert differing(expected, loaded) == []
            live = kind.from_pretrained(original)
            for name, as_original in (("back", True), ("own", False)):
                live.save_pretrained(folder / name, save_original_format=as_original)
                assert differing(loaded, load(kind, folder / name)) == []
    return saved(folder / "back"), saved(folder / "own")

"""The mapping: the original's checkpoint and the port's are loaded through it, and both are saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from emitted import differing, known_mapping, load, saved, write
from pairs.catalogue import NAMES, build
from pairs.installed import require_original
from pairs.rules import rules_of
from unseen_ports import UNSEEN

from porting.weights import apply_rules
from porting.weights.emitting import Emitted, emit_mapping
from porting.weights.rules.rule import Rule

State = dict[str, torch.Tensor]


def check(emitted: Emitted, model: Any, state: State, rules: list[Rule], folder: Path) -> tuple[State, State]:
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


@pytest.mark.parametrize("name", NAMES)
def test_the_mapping_of_a_pair_loads_the_original_and_saves_both_ways(name: str, tmp_path: Path) -> None:
    require_original(name)
    pair = build(name)
    state, rules = dict(pair.original.state_dict()), list(rules_of(name))
    emitted = emit_mapping(state, pair.ported, tmp_path, rules, name=name)
    back, own = check(emitted, pair.ported, state, rules, tmp_path)
    assert differing(back, state) == []
    assert set(own) <= set(pair.ported.state_dict())


@pytest.mark.parametrize("name", UNSEEN)
def test_the_mapping_of_an_unseen_port_does_so_too(name: str, tmp_path: Path) -> None:
    model, state, rules = UNSEEN[name]()
    emitted = emit_mapping(state, model, tmp_path, rules, name=name)
    back, own = check(emitted, model, state, rules, tmp_path)
    assert differing({each: tensor for each, tensor in back.items() if each in state}, state) == []
    assert set(back) - set(state) <= set(own) <= set(model.state_dict())

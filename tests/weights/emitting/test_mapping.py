"""The mapping: the original's checkpoint and the port's are loaded through it, and both are saved."""

from __future__ import annotations

from pathlib import Path

import pytest
from emitted import differing
from mapped import check_mapping
from pairs.catalogue import NAMES, build
from pairs.installed import require_original
from pairs.rules import rules_of
from unseen_ports import UNSEEN

from porting.weights.emitting import emit_mapping


@pytest.mark.parametrize("name", NAMES)
def test_the_mapping_of_a_pair_loads_the_original_and_saves_both_ways(name: str, tmp_path: Path) -> None:
    require_original(name)
    pair = build(name)
    state, rules = dict(pair.original.state_dict()), rules_of(name)
    emitted = emit_mapping(state, pair.ported, tmp_path, rules, name=name)
    back, own = check_mapping(emitted, pair.ported, state, rules, tmp_path)
    assert differing(back, state) == []
    assert set(own) <= set(pair.ported.state_dict())


@pytest.mark.parametrize("name", UNSEEN)
def test_the_mapping_of_an_unseen_port_does_so_too(name: str, tmp_path: Path) -> None:
    model, state, rules = UNSEEN[name]()
    emitted = emit_mapping(state, model, tmp_path, rules, name=name)
    back, own = check_mapping(emitted, model, state, rules, tmp_path)
    assert differing({each: tensor for each, tensor in back.items() if each in state}, state) == []
    assert set(back) - set(state) <= set(own) <= set(model.state_dict())

"""The script: alone, it writes what the rules make of the original's checkpoint, to the last bit."""

from __future__ import annotations

from pathlib import Path

import pytest
from emitted import differing, run_script, saved, write
from pairs.catalogue import NAMES, build
from pairs.installed import require_original
from pairs.rules import rules_of
from unseen_ports import UNSEEN

from porting import convert
from porting.weights import apply_rules
from porting.weights.emitting import emit_script


@pytest.mark.parametrize("name", NAMES)
def test_the_script_of_a_pair_writes_what_the_rules_make(name: str, tmp_path: Path) -> None:
    require_original(name)
    pair = build(name)
    state, rules = dict(pair.original.state_dict()), rules_of(name)
    emitted = emit_script(state, pair.ported, tmp_path, rules, name=name)
    found = run_script(emitted, write(tmp_path / "original", state), tmp_path / "converted")
    expected = apply_rules(rules, state, config=pair.ported.config)
    assert differing(found, expected) == []
    assert set(found) == set(expected)


@pytest.mark.parametrize("name", UNSEEN)
def test_the_script_of_an_unseen_port_does_so_too(name: str, tmp_path: Path) -> None:
    model, state, rules = UNSEEN[name]()
    emitted = emit_script(state, model, tmp_path, rules, name=name)
    found = run_script(emitted, write(tmp_path / "original", state), tmp_path / "converted")
    expected = apply_rules(rules, state, config=model.config)
    assert differing(found, expected) == []
    assert set(found) == set(expected)


def test_the_script_writes_what_porting_convert_writes(tmp_path: Path) -> None:
    for name, make in UNSEEN.items():
        model, state, rules = make()
        original = write(tmp_path / f"{name}-original", state)
        emitted = emit_script(original, model, tmp_path, rules, name=name)
        conversion = convert(original, model, tmp_path / f"{name}-converted", rules, audit=False)
        assert conversion.ok
        found = run_script(emitted, original / "model.safetensors", tmp_path / f"{name}-script")
        expected = saved(tmp_path / f"{name}-converted")
        assert (differing(found, expected), set(found)) == ([], set(expected))

"""Rules by hand: nothing is left, nothing is made twice, every bit is right, and the port made of it is a match."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from pairs.catalogue import NAMES, build
from pairs.installed import require_original
from pairs.pair import Pair
from pairs.rules import converted, renamed_modules, rules_of

from porting.weights.report import Spec
from porting.weights.rules.planning import plan

QUICK = ("bert", "mixtral", "pythia", "swin", "whisper")
every_pair = pytest.mark.parametrize("name", NAMES)
some_pairs = pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.zoo) for name in NAMES]
)


def built(name: str) -> Pair:
    require_original(name)
    return build(name)


def state_of(name: str, pair: Pair) -> dict[str, torch.Tensor]:
    """The original's, with what the real checkpoint holds besides."""
    return {**pair.original.state_dict(), **({"embeddings.position_ids": torch.arange(4)} if name == "minilm" else {})}


@every_pair
def test_rules_take_every_tensor_and_each_rule_takes_one(name: str) -> None:
    pair = built(name)
    specs = {each: Spec.of(tensor) for each, tensor in state_of(name, pair).items()}
    planned = plan(rules_of(name), specs, config=pair.ported.config)
    assert (planned.unmatched, planned.problems, planned.remarks) == (frozenset(), (), ())
    assert {each for step in planned.steps for each in step.sources} | set(planned.dropped) == set(specs)


@every_pair
def test_rules_make_every_tensor_of_the_port_bit_for_bit(name: str) -> None:
    pair = built(name)
    state = converted(name, state_of(name, pair), pair.ported.config)
    expected = pair.ported.state_dict()
    tied: Any = getattr(pair.ported, "all_tied_weights_keys", {})
    assert set(state) == set(expected) - set(tied)
    assert {(key, tensor.dtype) for key, tensor in state.items()} == {(key, expected[key].dtype) for key in state}
    assert [key for key, tensor in state.items() if not torch.equal(tensor, expected[key])] == []


@some_pairs
def test_a_port_made_by_the_rules_is_a_match(name: str) -> None:
    pair = built(name)
    ported: Any = type(pair.ported)(pair.ported.config).eval()
    found = ported.load_state_dict(converted(name, state_of(name, pair), ported.config), strict=False)
    assert set(found.missing_keys) <= set(getattr(ported, "all_tied_weights_keys", {}))
    assert found.unexpected_keys == []
    verification = replace(pair, ported=ported).verify()
    assert (verification.verdict, verification.culprits) == ("match", ())


def test_modules_of_which_the_weight_is_only_renamed_are_known_by_the_rules() -> None:
    names = ("layers.1.downsample.norm.weight", "layers.1.blocks.0.attn.qkv.weight", "norm.weight", "norm.bias")
    assert renamed_modules("swin", {name: torch.empty(6, 2) for name in names}) == {
        "layers.1.downsample.norm": "swin.encoder.layers.0.downsample.norm",
        "norm": "swin.layernorm",
    }

"""Real pairs: right ports are found right, whatever they are called and however they are nested."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from pairs.alignments import check_alignment
from pairs.catalogue import NAMES, build
from pairs.installed import require_original
from pairs.pair import Pair

every_pair = pytest.mark.parametrize("name", NAMES)


def built(name: str) -> Pair:
    require_original(name)
    return build(name)


@pytest.fixture
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@every_pair
def test_a_pair_agrees(name: str) -> None:
    assert built(name).difference() < 1e-5


@every_pair
def test_a_right_port_is_a_match_and_its_modules_are_found(name: str) -> None:
    pair = built(name)
    verification = pair.verify()
    assert (verification.verdict, verification.culprits) == ("match", ())
    found = check_alignment(verification, pair.module_map)
    assert found.wrong == ()
    assert found.share >= 0.98, found.missed


@pytest.mark.zoo
@every_pair
@pytest.mark.parametrize("threads", [1, 2], indirect=True)
def test_a_right_port_is_a_match_under_any_attention_and_threads(name: str, threads: int) -> None:
    for attention in built(name).attentions or (None,):
        pair = built(name)
        if attention:
            ported: Any = pair.ported
            ported.set_attn_implementation(attention)
        verification = pair.verify()
        assert (verification.verdict, verification.culprits) == ("match", ()), attention

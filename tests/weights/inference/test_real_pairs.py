"""The rules of real pairs: from names and shapes alone, and with the original to run."""

from __future__ import annotations

import pytest
import torch
from pairs.catalogue import NAMES, build
from pairs.installed import require_original
from pairs.pair import Pair

from porting import Inference, infer_rules
from porting.weights.inference.proposing import targets_of
from porting.weights.rules import plan
from porting.weights.source import spec

every_pair = pytest.mark.parametrize("name", NAMES)


def right(pair: Pair, inference: Inference) -> dict[str, bool]:
    """For each tensor of the port whether the rules make it as it is."""
    given, wanted = pair.original.state_dict(), pair.ported.state_dict()
    planned = plan(inference.rules, {name: spec(name, tensor) for name, tensor in given.items()})
    made = {name: tensor for step in planned.steps for name, tensor in step.run(given.__getitem__).items()}
    names = [unit.name for unit in targets_of(pair.ported)]
    return {name: name in made and torch.equal(made[name], wanted[name]) for name in names}


@every_pair
def test_names_and_shapes_tell_most_and_nothing_certain_is_wrong(name: str) -> None:
    require_original(name)
    pair = build(name)
    inference = infer_rules(pair.original.state_dict(), pair.ported)
    found = right(pair, inference)
    assert sum(found.values()) >= 0.8 * len(found)
    assert not [key for key, word in inference.words.items() if word == "certain" and not found.get(key)]


@every_pair
def test_with_the_original_every_tensor_is_right_and_the_converted_port_matches(name: str) -> None:
    require_original(name)
    pair = build(name)
    torch.manual_seed(1)
    port = type(pair.ported)(pair.ported.config).eval()
    inference = infer_rules(
        pair.original.state_dict(),
        port,
        original=pair.original,
        inputs=pair.ported_inputs,
        original_inputs=pair.original_inputs,
        outputs=pair.outputs,
    )
    assert inference.verdict == "match"
    assert all(right(pair, inference).values())

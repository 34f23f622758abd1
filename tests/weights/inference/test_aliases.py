from __future__ import annotations

import torch
from toys import make_inputs, make_pair

from porting import capture
from porting.weights.inference.aliases import aliases
from porting.weights.source import spec


def test_a_checkpoint_with_other_names_is_known_by_content() -> None:
    original, _ = make_pair()
    trace = capture(original, make_inputs()[0])
    given = {f"t{number}": tensor.clone() for number, tensor in enumerate(original.state_dict().values())}
    specs = {name: spec(name, tensor) for name, tensor in given.items()}
    assert list(aliases(specs, given.__getitem__, trace).values()) == list(original.state_dict())


def test_a_checkpoint_with_the_original_s_names_is_not_read() -> None:
    original, _ = make_pair()
    trace = capture(original, make_inputs()[0])
    specs = {name: spec(name, tensor) for name, tensor in original.state_dict().items()}
    assert aliases(specs, lambda name: torch.zeros(()).new_tensor(name), trace) == {}


def test_equal_contents_tell_nothing() -> None:
    original, _ = make_pair()
    with torch.no_grad():
        for block in original.blocks:
            torch.nn.init.ones_(block.get_submodule("ln1").weight)  # type: ignore[arg-type]
    trace = capture(original, make_inputs()[0])
    given = {f"t{number}": tensor for number, tensor in enumerate(original.state_dict().values())}
    found = aliases({name: spec(name, tensor) for name, tensor in given.items()}, given.__getitem__, trace)
    assert not any(name.endswith("ln1.weight") for name in found.values())

"""Siblings and layers with each other's weights."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from diagnosed import diagnosed, informative, noise, proven
from seeded import verified
from torch import nn
from torch.nn import functional

from porting.diagnosis.causes.exchanged import ExchangedModules


class Gated(nn.Module):
    """A gated projection."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.up, self.down = nn.Linear(8, 12), nn.Linear(8, 12), nn.Linear(12, 8)

    def forward(self, x: Any) -> Any:
        return self.down(functional.silu(self.gate(x)) * self.up(x))


def exchange(one: nn.Module, other: nn.Module) -> None:
    kept = deepcopy(one.state_dict())
    one.load_state_dict(deepcopy(other.state_dict()))
    other.load_state_dict(kept)


def test_gate_and_up_exchanged() -> None:
    found = diagnosed(informative(Gated()), lambda port: exchange(port.gate, port.up), noise(3, 5, 8))
    assert proven(found) == ["swapped"]


@pytest.mark.parametrize("pair", [("q", "k"), ("k", "v"), ("q", "v")])
@pytest.mark.parametrize("layer", [0, 2])
def test_projections_of_a_fused_original_exchanged(pair: tuple[str, str], layer: int) -> None:
    def broken(port: Any) -> None:
        attention = port.model.layers[layer].self_attn
        exchange(*(attention.get_submodule(f"{name}_proj") for name in pair))

    first = verified(broken).culprits[0]
    assert (proven(first.causes), first.where) == (["swapped"], "weights")
    assert first.ported.startswith(f"model.layers.{layer}.self_attn")


def test_projections_exchanged_in_every_layer() -> None:
    def broken(port: Any) -> None:
        for layer in port.model.layers:
            exchange(layer.self_attn.q_proj, layer.self_attn.v_proj)

    assert all(proven(culprit.causes) == ["swapped"] for culprit in verified(broken).culprits)


def test_a_lost_residual_is_no_exchange() -> None:
    def broken(port: Any) -> None:
        layer = port.model.layers[1]
        forward = layer.forward
        layer.forward = lambda hidden_states, attention_mask: forward(hidden_states, attention_mask) - hidden_states

    assert not set(proven(verified(broken).culprits[0].causes)) & set(ExchangedModules.codes)

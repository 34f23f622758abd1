"""Siblings and layers with each other's weights."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from diagnosed import diagnosed, informative, noise, proven
from seeded import verified
from torch import nn
from torch.nn import functional

from porting import Verification, verify
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


class Towers(nn.Module):
    """Two towers whose projections are bare matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(6, 8), nn.Linear(6, 8)
        self.left_matrix, self.right_matrix = (nn.Parameter(torch.zeros(8, 5)) for _ in range(2))

    def forward(self, x: Any, y: Any) -> Any:
        return self.left(x) @ self.left_matrix, self.right(y) @ self.right_matrix


class PortedTowers(nn.Module):
    """The same, in modules, with the results in the other order."""

    def __init__(self, original: Towers) -> None:
        super().__init__()
        self.left, self.right = deepcopy(original.left), deepcopy(original.right)
        self.left_projection, self.right_projection = (nn.Linear(8, 5, bias=False) for _ in range(2))
        self.left_projection.weight.data = original.left_matrix.detach().t().clone()
        self.right_projection.weight.data = original.right_matrix.detach().t().clone()

    def forward(self, x: Any, y: Any) -> Any:
        right = self.right_projection(self.right(y))
        return {"right": right, "left": self.left_projection(self.left(x))}


def towers_verified(ported: nn.Module, original: nn.Module) -> Verification:
    def outputs(old: Any, new: Any) -> Any:
        return [("left", old[0], new["left"]), ("right", old[1], new["right"])]

    return verify(original, ported.eval(), (noise(3, 6), noise(3, 6, seed=1)), outputs=outputs)


def test_exchanged_projections_of_the_model_itself_that_the_original_has_as_bare_matrices() -> None:
    original: Any = informative(Towers())
    ported = PortedTowers(original)
    assert towers_verified(ported, original).culprits == ()
    exchange(ported.left_projection, ported.right_projection)
    first = towers_verified(ported, original).culprits[0]
    assert (first.ported, proven(first.causes)) == ("left_projection", ["swapped"])

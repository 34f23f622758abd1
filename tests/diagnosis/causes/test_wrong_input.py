"""Another tensor than the original's goes in."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gluing import glued, pieced, port_model, proven
from torch import nn
from torch.nn import functional

X = torch.randn(3, 9, 8, generator=torch.Generator().manual_seed(1))


def test_the_output_of_another_module() -> None:
    verification = pieced(
        lambda m, x: m.three(m.two(x)) + m.one(x),
        lambda m, x: m.three(m.one(x)) + (m.one(x), m.two(x))[0],
        {"one": nn.Linear(8, 8), "two": nn.Linear(8, 8), "three": nn.Linear(8, 8)},
        X,
    )
    assert verification.culprits[0].ported == ""
    assert all(code == "wrong-input" for _, code in proven(verification))


def test_the_input_of_a_norm_for_its_output() -> None:
    def layer(self: Any, hidden: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        self.input_layernorm(hidden)
        hidden = hidden + self.self_attn(hidden, attention_mask=attention_mask)[0]
        result: torch.Tensor = hidden + self.mlp(self.post_attention_layernorm(hidden))
        return result

    ((path, code),) = proven(glued(layer=layer))
    assert path == "model.layers.1"
    assert code in ("norm-placement", "missing-norm")


@pytest.mark.parametrize("function", [functional.silu, functional.gelu])
def test_the_function_on_the_other_factor(function: Any) -> None:
    verification = pieced(
        lambda m, x: m.down(function(m.gate(x)) * m.up(x)),
        lambda m, x: m.down(m.gate(x) * function(m.up(x))),
        {"gate": nn.Linear(8, 12), "up": nn.Linear(8, 12), "down": nn.Linear(12, 8)},
        X,
    )
    assert proven(verification)[0][1] in ("gate-order", "swapped")


def test_the_halves_of_a_fused_projection() -> None:
    def gated(first: int) -> Any:
        def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
            parts = m.both(x).chunk(2, -1)
            result: torch.Tensor = m.down(functional.silu(parts[first]) * parts[1 - first])
            return result

        return forward

    modules = {"both": nn.Linear(8, 24), "down": nn.Linear(12, 8)}
    assert [code for _, code in proven(pieced(gated(0), gated(1), modules, X))] == ["gate-order"]


def test_a_layer_that_is_run_once_more() -> None:
    verification = glued(model=port_model(layers=lambda layers: [*layers, layers[2]]))
    assert [code for _, code in proven(verification)] == ["extra-layer"]

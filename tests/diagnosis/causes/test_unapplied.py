"""A module that the port has, and does not apply."""

from __future__ import annotations

from typing import Any

import torch
from gluing import glued, port_model, proven


def test_a_loop_that_is_one_short() -> None:
    verification = glued(model=port_model(layers=lambda layers: layers[:-1]))
    assert proven(verification) == [("model", "missing-layer")]
    assert "model.layers.2 is not applied" in verification.culprits[0].causes[0].summary


def test_a_layer_that_hands_its_input_on() -> None:
    def prepare(_: Any, port: Any) -> None:
        port.model.layers[1].forward = lambda hidden_states, attention_mask: hidden_states

    assert proven(glued(prepare=prepare)) == [("model.layers.1", "missing-layer")]


def test_a_norm_that_is_not_applied() -> None:
    def layer(self: Any, hidden: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden = hidden + self.self_attn(self.input_layernorm(hidden), attention_mask=attention_mask)[0]
        result: torch.Tensor = hidden + self.mlp(hidden)
        return result

    assert proven(glued(layer=layer)) == [("model.layers.1", "missing-norm")]


def test_the_last_norm() -> None:
    assert [code for _, code in proven(glued(model=port_model(norm=False)))] == ["missing-norm"]


def test_a_layer_that_runs_itself_twice() -> None:
    def prepare(_: Any, port: Any) -> None:
        layer = port.model.layers[1]
        once = layer.forward
        layer.forward = lambda hidden, attention_mask: once(once(hidden, attention_mask), attention_mask)

    assert proven(glued(prepare=prepare)) == [("model.layers.1", "extra-layer")]

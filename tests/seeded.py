"""Bugs to put into the toy port, the module in which each sits, and the port verified with one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from toys import make_inputs, make_pair

from porting import Verification, verify

Break = Callable[[Any], None]


def verified(break_port: Break | None = None, **kwargs: Any) -> Verification:
    original, ported = make_pair()
    if break_port:
        break_port(ported)
    first, second = make_inputs()
    return verify(original, ported, second, original_inputs=first, **kwargs)


def tanh_gelu(port: Any) -> None:
    port.model.layers[1].mlp.act = nn.GELU(approximate="tanh")


def wrong_eps(port: Any) -> None:
    port.model.layers[2].input_layernorm.eps = 1e-3


def tiny_eps_error(port: Any) -> None:
    port.model.layers[2].input_layernorm.eps = 2e-4


def swapped_heads(port: Any) -> None:
    attention = port.model.layers[0].self_attn
    attention.q_proj, attention.k_proj = attention.k_proj, attention.q_proj


def lost_residual(port: Any) -> None:
    layer = port.model.layers[1]

    def forward(hidden_states: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        mixed, _ = layer.self_attn(layer.input_layernorm(hidden_states), attention_mask=attention_mask)
        return mixed + layer.mlp(layer.post_attention_layernorm(mixed))

    layer.forward = forward


def unloaded(port: Any) -> None:
    nn.init.normal_(port.model.layers[2].mlp.down.weight)


def wrong_scale(port: Any) -> None:
    port.model.layers[1].self_attn.scaling *= 2


def dropout_on(port: Any) -> None:
    port.model.layers[0].drop.train()


def shifted_positions(port: Any) -> None:
    with torch.no_grad():
        port.model.embed_positions.weight.copy_(port.model.embed_positions.weight.roll(1, 0))


def mask_without_padding(port: Any) -> None:
    model = port.model
    forward = model.forward
    model.forward = lambda input_ids, attention_mask: forward(input_ids, torch.ones_like(attention_mask))


def scaled_head_input(port: Any) -> None:
    norm = port.model.norm.forward
    port.model.norm.forward = lambda x: norm(x) * 1.01


BUGS: dict[Break, str] = {
    tanh_gelu: "model.layers.1.mlp.act",
    wrong_eps: "model.layers.2.input_layernorm",
    swapped_heads: "model.layers.0.self_attn",
    lost_residual: "model.layers.1",
    unloaded: "model.layers.2.mlp.down",
    wrong_scale: "model.layers.1.self_attn",
    dropout_on: "model.layers.0",
    shifted_positions: "model.embed_positions",
    mask_without_padding: "model",
    scaled_head_input: "model.norm",
}

"""Other code between the modules of the toy pair, and what diagnosis makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MethodType
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from toys import HEADS, make_inputs, make_pair

from porting import Verification, verify

Forward = Callable[..., Any]


def glued(
    *,
    layer: Forward | None = None,
    model: Forward | None = None,
    original: Forward | None = None,
    original_block: Forward | None = None,
    prepare: Callable[[Any, Any], None] | None = None,
) -> Verification:
    """The toy pair verified with other forwards: of the port's layer 1 and model, the original and its block 1."""
    one, other = make_pair()
    if prepare:
        prepare(one, other)
    places = ((other.model.layers[1], layer), (other.model, model), (one, original), (one.blocks[1], original_block))
    for module, forward in places:
        if forward is not None:
            module.forward = MethodType(forward, module)
    first, second = make_inputs()
    return verify(one, other, second, original_inputs=first)


def proven(verification: Verification) -> list[tuple[str, str]]:
    """Path and code of what was proven at each culprit."""
    return [(culprit.ported, culprit.proven.code) for culprit in verification.culprits if culprit.proven]


def allowed(mask: torch.Tensor) -> torch.Tensor:
    """What the toy lets each token see."""
    length = mask.shape[1]
    return torch.ones(length, length, dtype=torch.bool).tril() & mask.bool()[:, None, None, :]


def port_model(
    embed: Callable[[Any, torch.Tensor], torch.Tensor] | None = None,
    layers: Callable[[Any], Any] = lambda layers: layers,
    *,
    norm: bool = True,
) -> Forward:
    """A forward of the toy port's model."""

    def forward(self: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = embed(self, input_ids) if embed else self.embed_tokens(input_ids) + positions(self, input_ids)
        for layer in layers(self.layers):
            hidden = layer(hidden, allowed(attention_mask))
        return {"last_hidden_state": self.norm(hidden) if norm else hidden}

    return forward


def original_model(
    embed: Callable[[Any, torch.Tensor], torch.Tensor] | None = None,
    head: Callable[[torch.Tensor], torch.Tensor] = lambda logits: logits,
) -> Forward:
    """A forward of the toy original."""

    def forward(self: Any, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        place = torch.arange(tokens.shape[1]).expand_as(tokens)
        hidden = embed(self, tokens) if embed else self.tok(tokens) + self.pos(place)
        for block in self.blocks:
            hidden = block(hidden, allowed(mask))
        return head(self.head(self.norm(hidden)))

    return forward


def positions(model: Any, input_ids: torch.Tensor, start: int = 0) -> torch.Tensor:
    """The port's position embeddings from a start on."""
    found: torch.Tensor = model.embed_positions(start + torch.arange(input_ids.shape[1])[None])
    return found


def attention(merged: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Any, Any], None]:
    """Another way of merging the heads in layer 1 of the port; it is given (batch, heads, length, size)."""

    def forward(self: Any, hidden_states: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, None]:
        batch, length, _ = hidden_states.shape
        query, key, value = (
            project(hidden_states).view(batch, length, HEADS, -1).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, attention_mask, scale=self.scaling)
        return self.o_proj(merged(mixed).reshape(batch, length, -1)), None

    def prepare(_: Any, port: Any) -> None:
        module = port.model.layers[1].self_attn
        module.forward = MethodType(forward, module)

    return prepare


class Pieces(nn.Module):
    """Modules by name, and a function of them and the inputs as its forward."""

    def __init__(self, function: Forward, **modules: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, *args: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.function(self, *args)
        return result


def pieced(
    original: Forward, ported: Forward, modules: Mapping[str, nn.Module], *inputs: torch.Tensor
) -> Verification:
    """Two functions of the same modules verified against each other."""
    torch.manual_seed(0)
    one, other = Pieces(original, **modules), Pieces(ported, **modules)
    for parameter in one.parameters():
        nn.init.normal_(parameter, 0.1, 0.4)
    return verify(one.eval(), other.eval(), inputs)

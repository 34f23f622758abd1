"""Seeded bugs for the demo's port, each a mistake that real ports were shipped with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True, slots=True)
class Bug:
    """A mistake to put into a live ``transformers.BertModel``.

    Attributes:
        name: as given to ``porting demo --break``.
        story: what the contributor did.
        culprit: path of the module in which verification must find it.
        cause: code of the cause that it must prove.
        apply: puts it into the model, in place.
    """

    name: str
    story: str
    culprit: str
    cause: str
    apply: Callable[[Any], None]


BUGS: dict[str, Bug] = {}


def _bug(name: str, story: str, culprit: str, cause: str) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    def register(apply: Callable[[Any], None]) -> Callable[[Any], None]:
        BUGS[name] = Bug(name, story, culprit, cause, apply)
        return apply

    return register


@_bug(
    "activation",
    "gelu computed with tanh in one layer",
    "encoder.layer.2.intermediate.intermediate_act_fn",
    "activation",
)
def _activation(model: Any) -> None:
    model.encoder.layer[2].intermediate.intermediate_act_fn = torch.nn.GELU(approximate="tanh")


@_bug("norm-eps", "an epsilon of 1e-5 for 1e-12 in one norm", "encoder.layer.1.output.LayerNorm", "norm-eps")
def _norm_eps(model: Any) -> None:
    model.encoder.layer[1].output.LayerNorm.eps = 1e-5


@_bug(
    "missing-residual",
    "the residual around a feed-forward block forgotten",
    "encoder.layer.3.output",
    "missing-residual",
)
def _missing_residual(model: Any) -> None:
    block = model.encoder.layer[3].output

    def forward(hidden_states: torch.Tensor, input_tensor: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
        normed: torch.Tensor = block.LayerNorm(block.dropout(block.dense(hidden_states)))
        return normed

    block.forward = forward


@_bug("swapped-qk", "query and key weights loaded into each other", "encoder.layer.0.attention.self.query", "swapped")
def _swapped_qk(model: Any) -> None:
    attention = model.encoder.layer[0].attention.self
    attention.query, attention.key = attention.key, attention.query


@_bug(
    "unloaded-weight",
    "one weight never loaded: it keeps its random start",
    "encoder.layer.4.output.dense",
    "not-loaded",
)
def _unloaded_weight(model: Any) -> None:
    weight = model.encoder.layer[4].output.dense.weight
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        weight.copy_(0.02 * torch.randn(weight.shape, generator=generator))


@_bug("position-offset", "position embeddings that start at 1", "embeddings", "position-offset")
def _position_offset(model: Any) -> None:
    embeddings = model.embeddings
    embeddings.register_buffer("position_ids", embeddings.position_ids.roll(-1), persistent=False)


@_bug(
    "attention-scale",
    "attention scores scaled by the whole width",
    "encoder.layer.2.attention.self",
    "attention-scale",
)
def _attention_scale(model: Any) -> None:
    attention = model.encoder.layer[2].attention.self
    attention.scaling = attention.all_head_size**-0.5


@_bug("dropout", "dropout left active behind the embeddings", "embeddings.dropout", "dropout-active")
def _dropout(model: Any) -> None:
    model.embeddings.dropout.train()


@_bug(
    "transposed",
    "a square matrix loaded without its transposition",
    "encoder.layer.5.attention.output.dense",
    "transposed",
)
def _transposed(model: Any) -> None:
    weight = model.encoder.layer[5].attention.output.dense.weight
    with torch.no_grad():
        weight.copy_(weight.t().clone())


@_bug("missing-embedding", "token type embeddings forgotten", "embeddings", "missing-embedding")
def _missing_embedding(model: Any) -> None:
    embeddings = model.embeddings

    def forward(input_ids: torch.Tensor, **_: Any) -> torch.Tensor:
        positions = embeddings.position_ids[:, : input_ids.shape[1]]
        hidden = embeddings.word_embeddings(input_ids) + embeddings.position_embeddings(positions)
        dropped: torch.Tensor = embeddings.dropout(embeddings.LayerNorm(hidden))
        return dropped

    embeddings.forward = forward


@_bug("wrong-pooling", "the pooler takes the last token for the first", "pooler", "pooling")
def _wrong_pooling(model: Any) -> None:
    pooler = model.pooler
    pooler.forward = lambda hidden_states: pooler.activation(pooler.dense(hidden_states[:, -1]))

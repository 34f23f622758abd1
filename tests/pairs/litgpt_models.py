"""The models of litgpt, and what their pairs have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pairs.pair import Pair
from pairs.stubs import stubbed
from torch import nn

from porting.runs import Inputs

with stubbed("lightning", "lightning_utilities", "psutil", "requests", bare="litgpt"):
    from litgpt.config import Config
    from litgpt.model import GPT

VOCABULARY, LAYERS, HEADS, GROUPS, WIDTH, LENGTH = 97, 3, 4, 2, 48, 32

LLAMA = {
    "n_embd": WIDTH,
    "n_query_groups": GROUPS,
    "rotary_percentage": 1.0,
    "parallel_residual": False,
    "bias": False,
    "norm_class_name": "RMSNorm",
}


def create(**settings: Any) -> nn.Module:
    """A model of three layers."""
    sizes = {
        "block_size": LENGTH,
        "vocab_size": VOCABULARY,
        "padded_vocab_size": VOCABULARY,
        "n_layer": LAYERS,
        "n_head": HEADS,
    }
    model: nn.Module = GPT(Config(**{"name": "tiny", **sizes, **settings}))
    return model


def containers(layers: str = "model.layers", attention: str = "self_attn") -> dict[str, str]:
    """The layers, and their attention and MLP."""
    ends = {"": "", ".attn": f".{attention}", ".mlp": ".mlp"}
    return {f"transformer.h.{i}{a}": f"{layers}.{i}{b}" for i in range(LAYERS) for a, b in ends.items()}


def language_pair(
    original: nn.Module,
    ported: nn.Module,
    modules: Mapping[str, str],
    attentions: tuple[str, ...] = ("eager", "sdpa"),
) -> Pair:
    """The pair on two rows of 14 tokens."""
    ids = torch.randint(3, VOCABULARY, (2, 14), generator=torch.Generator().manual_seed(0))
    return Pair(
        original.eval(),
        ported.eval(),
        Inputs(kwargs={"idx": ids}),
        Inputs(kwargs={"input_ids": ids, "use_cache": False}),
        modules,
        lambda old, new: [("logits", old, new.logits)],
        attentions,
    )

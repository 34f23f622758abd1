"""The models of litgpt, and what its Llama-like ports have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pairs.pair import Pair
from pairs.stubs import stubbed
from pairs.weights import State, renamed, split
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
LLAMA_PARTS = {"attn.proj": "self_attn.o_proj", "norm_1": "input_layernorm", "norm_2": "post_attention_layernorm"}
MLP_PARTS = {"mlp.fc_1": "mlp.gate_proj", "mlp.fc_2": "mlp.up_proj", "mlp.proj": "mlp.down_proj"}


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


def llama_modules(parts: Mapping[str, str]) -> dict[str, str]:
    """The modules with weights of a Llama-like pair, but for q, k and v; ``parts`` are those of a layer."""
    modules = {"transformer.wte": "model.embed_tokens", "transformer.ln_f": "model.norm", "lm_head": "lm_head"}
    for i in range(LAYERS):
        modules |= {f"transformer.h.{i}.{old}": f"model.layers.{i}.{new}" for old, new in parts.items()}
    return modules


def llama_containers() -> dict[str, str]:
    """Its layers, and their attention and MLP."""
    ends = {"": "", ".attn": ".self_attn", ".mlp": ".mlp"}
    return {f"transformer.h.{i}{a}": f"model.layers.{i}{b}" for i in range(LAYERS) for a, b in ends.items()}


def llama_state(state: Mapping[str, torch.Tensor], modules: Mapping[str, str], size: int = WIDTH // HEADS) -> State:
    """Its weights: renamed, and the fused projection split; ``size`` is that of a head."""
    values = renamed(state, modules)
    for i in range(LAYERS):
        to = [f"model.layers.{i}.self_attn.{name}_proj" for name in "qkv"]
        values |= split(state, f"transformer.h.{i}.attn.qkv", to, [HEADS * size, GROUPS * size, GROUPS * size])
    return values


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

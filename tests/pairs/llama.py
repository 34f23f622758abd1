"""Llama of litgpt and `LlamaForCausalLM`: grouped queries, rotary positions, RMS norms, a gated MLP."""

from __future__ import annotations

import torch
from pairs.litgpt_models import (
    GROUPS,
    HEADS,
    LAYERS,
    LENGTH,
    LLAMA,
    VOCABULARY,
    WIDTH,
    containers,
    create,
    language_pair,
)
from pairs.pair import Pair
from pairs.rules import converted, renamed_modules
from pairs.weights import load, randomize
from transformers import LlamaConfig, LlamaForCausalLM


def build() -> Pair:
    """Four heads in two groups; embeddings small, as they are initialised."""
    original = create(**LLAMA, norm_eps=1e-5, mlp_class_name="LLaMAMLP", intermediate_size=80, rope_base=500000)
    randomize(original, _special)
    ported = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=WIDTH,
            intermediate_size=80,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=GROUPS,
            max_position_embeddings=LENGTH,
            rms_norm_eps=1e-5,
            tie_word_embeddings=False,
            rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
            pad_token_id=0,
        )
    )
    state = original.state_dict()
    load(ported, converted("llama", state, ported.config))
    modules = renamed_modules("llama", state)
    return language_pair(original, ported, {**modules, **containers()})


def _special(name: str, noise: torch.Tensor) -> torch.Tensor | None:
    return 0.02 * noise if "wte" in name else None

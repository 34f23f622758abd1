"""Gemma 2 of litgpt and `Gemma2ForCausalLM`: capped scores and logits, windows, norms of one plus a weight."""

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
from transformers import Gemma2Config, Gemma2ForCausalLM

SIZE, SCALAR, WINDOW, CAP, LAST_CAP = 16, 20, 6, 3.0, 5.0


def build() -> Pair:
    """Windows in the first and last layer; only eager attention caps its scores."""
    original = create(
        **LLAMA,
        name="Gemma",
        head_size=SIZE,
        scale_embeddings=True,
        attention_scores_scalar=SCALAR,
        sliding_window_size=WINDOW,
        sliding_window_indices=[1, 0, 1],
        intermediate_size=80,
        norm_eps=1e-6,
        mlp_class_name="GemmaMLP",
        gelu_approximate="tanh",
        post_attention_norm=True,
        post_mlp_norm=True,
        attention_logit_softcapping=CAP,
        final_logit_softcapping=LAST_CAP,
    )
    randomize(original, _special)
    ported = Gemma2ForCausalLM(_config())
    state = original.state_dict()
    load(ported, converted("gemma2", state, ported.config))
    modules = renamed_modules("gemma2", state)
    del modules["transformer.wte"]  # scaled outside the module there, inside here
    return language_pair(original, ported, {**modules, **containers()}, attentions=("eager",))


def _config() -> Gemma2Config:
    return Gemma2Config(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=80,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=GROUPS,
        head_dim=SIZE,
        query_pre_attn_scalar=SCALAR,
        sliding_window=WINDOW,
        attn_logit_softcapping=CAP,
        final_logit_softcapping=LAST_CAP,
        max_position_embeddings=LENGTH,
        tie_word_embeddings=False,
        attn_implementation="eager",
    )


def _special(name: str, noise: torch.Tensor) -> torch.Tensor | None:
    """The norms' weights are what is added to one; embeddings are scaled up."""
    return 0.3 * noise if noise.dim() == 1 else 0.1 * noise if "wte" in name else None

"""Mixtral of litgpt and `MixtralForCausalLM`: a list of experts against stacked tensors."""

from __future__ import annotations

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
from transformers import MixtralConfig, MixtralForCausalLM

EXPERTS, CHOSEN, INNER = 4, 2, 40


def build() -> Pair:
    """Two of four experts for each token."""
    original = create(
        **LLAMA,
        norm_eps=1e-5,
        mlp_class_name="LLaMAMoE",
        intermediate_size=INNER,
        n_expert=EXPERTS,
        n_expert_per_token=CHOSEN,
        rope_base=10000,
    )
    randomize(original)
    ported = MixtralForCausalLM(
        MixtralConfig(
            vocab_size=VOCABULARY,
            hidden_size=WIDTH,
            intermediate_size=INNER,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=GROUPS,
            num_local_experts=EXPERTS,
            num_experts_per_tok=CHOSEN,
            max_position_embeddings=LENGTH,
            rms_norm_eps=1e-5,
            sliding_window=None,
            tie_word_embeddings=False,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
            pad_token_id=0,
        )
    )
    state = original.state_dict()
    load(ported, converted("mixtral", state, ported.config))
    modules = renamed_modules("mixtral", state)
    return language_pair(original, ported, {**modules, **containers()})

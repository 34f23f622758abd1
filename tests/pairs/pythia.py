"""Pythia of litgpt and `GPTNeoXForCausalLM`: q, k and v fused on both sides in other orders, parallel blocks."""

from __future__ import annotations

from pairs.litgpt_models import HEADS, LAYERS, LENGTH, VOCABULARY, containers, create, language_pair
from pairs.pair import Pair
from pairs.rules import converted, renamed_modules
from pairs.weights import load, randomize
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

WIDTH = 64


def build() -> Pair:
    """A quarter of each head is rotated; biases everywhere."""
    original = create(
        n_embd=WIDTH,
        rotary_percentage=0.25,
        parallel_residual=True,
        bias=True,
        norm_class_name="LayerNorm",
        norm_eps=1e-5,
        mlp_class_name="GptNeoxMLP",
    )
    randomize(original)
    ported = GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=VOCABULARY,
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            max_position_embeddings=LENGTH,
            layer_norm_eps=1e-5,
            use_parallel_residual=True,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.25},
            hidden_act="gelu",
            tie_word_embeddings=False,
            pad_token_id=0,
        )
    )
    state = original.state_dict()
    load(ported, converted("pythia", state, ported.config))
    modules = {**renamed_modules("pythia", state), **containers("gpt_neox.layers", "attention")}
    return language_pair(original, ported, modules)

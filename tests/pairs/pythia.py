"""Pythia of litgpt and `GPTNeoXForCausalLM`: q, k and v fused on both sides in other orders, parallel blocks."""

from __future__ import annotations

import torch
from pairs.litgpt_models import HEADS, LAYERS, LENGTH, VOCABULARY, create, language_pair
from pairs.pair import Pair
from pairs.weights import load, randomize, renamed
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
    modules, state = _modules(), original.state_dict()
    values = renamed(state, modules)
    for i in range(LAYERS):
        for leaf in ("weight", "bias"):
            fused = state[f"transformer.h.{i}.attn.qkv.{leaf}"]
            values[f"gpt_neox.layers.{i}.attention.query_key_value.{leaf}"] = heads_outermost(fused)
        ends = {"": "", ".attn": ".attention", ".mlp": ".mlp"}
        modules |= {f"transformer.h.{i}{a}": f"gpt_neox.layers.{i}{b}" for a, b in ends.items()}
    load(ported, values)
    return language_pair(original, ported, modules)


def heads_outermost(tensor: torch.Tensor) -> torch.Tensor:
    """From [all q, all k, all v] to [q, k, v] of each head, along the rows."""
    size = tensor.shape[0] // (3 * HEADS)
    return tensor.reshape(3, HEADS, size, *tensor.shape[1:]).transpose(0, 1).reshape(tensor.shape)


def _modules() -> dict[str, str]:
    modules = {
        "transformer.wte": "gpt_neox.embed_in",
        "transformer.ln_f": "gpt_neox.final_layer_norm",
        "lm_head": "lm_head",
    }
    parts = {
        "norm_1": "input_layernorm",
        "norm_2": "post_attention_layernorm",
        "attn.proj": "attention.dense",
        "mlp.fc": "mlp.dense_h_to_4h",
        "mlp.proj": "mlp.dense_4h_to_h",
    }
    for i in range(LAYERS):
        modules |= {f"transformer.h.{i}.{old}": f"gpt_neox.layers.{i}.{new}" for old, new in parts.items()}
    return modules

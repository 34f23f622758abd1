"""Mixtral of litgpt and `MixtralForCausalLM`: a list of experts against stacked tensors."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pairs.litgpt_models import (
    GROUPS,
    HEADS,
    LAYERS,
    LENGTH,
    LLAMA,
    LLAMA_PARTS,
    VOCABULARY,
    WIDTH,
    create,
    language_pair,
    llama_containers,
    llama_modules,
    llama_state,
)
from pairs.pair import Pair
from pairs.weights import State, load, randomize
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
    modules, state = llama_modules({**LLAMA_PARTS, "mlp.gate": "mlp.gate"}), original.state_dict()
    load(ported, {**llama_state(state, modules), **_stacked(state)})
    return language_pair(original, ported, {**modules, **llama_containers()})


def _stacked(state: Mapping[str, torch.Tensor]) -> State:
    values = {}
    for i in range(LAYERS):
        parts = {
            part: torch.stack([state[f"transformer.h.{i}.mlp.experts.{j}.{part}.weight"] for j in range(EXPERTS)])
            for part in ("fc_1", "fc_2", "proj")
        }
        values[f"model.layers.{i}.mlp.experts.gate_up_proj"] = torch.cat([parts["fc_1"], parts["fc_2"]], 1)
        values[f"model.layers.{i}.mlp.experts.down_proj"] = parts["proj"]
    return values

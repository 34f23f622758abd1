"""Rules for the pairs that read tokens."""

from __future__ import annotations

from collections.abc import Mapping

from pairs.renaming import Rules, modules

from porting.weights import Concatenate, Convert, Drop, Rename, Split, Stack


def _llama(parts: Mapping[str, str], query: int, key: int) -> Rules:
    """A Llama of litgpt, with so many rows of queries and keys."""
    top = {"transformer.wte": "model.embed_tokens", "transformer.ln_f": "model.norm", "lm_head": "lm_head"}
    old, new = "transformer.h.{i:d}.", "model.layers.{i}."
    attention = [f"{new}self_attn.{name}_proj.weight" for name in "qkv"]
    return (
        *modules(top),
        *modules({"attn.proj": "self_attn.o_proj", **parts}, old, new),
        Convert(f"{old}attn.qkv.weight", attention, Split((query, key, key))),
    )


LLAMA = {"norm_1": "input_layernorm", "norm_2": "post_attention_layernorm"}
GATED = {"mlp.fc_1": "mlp.gate_proj", "mlp.fc_2": "mlp.up_proj", "mlp.proj": "mlp.down_proj"}
GEMMA = {
    "norm_1": "input_layernorm",
    "post_attention_norm": "post_attention_layernorm",
    "norm_2": "pre_feedforward_layernorm",
    "post_mlp_norm": "post_feedforward_layernorm",
}
EXPERT, EXPERTS = "transformer.h.{i:d}.mlp.experts.{expert:d}", "model.layers.{i}.mlp.experts"
MIXTRAL = (
    *_llama({**LLAMA, "mlp.gate": "mlp.gate"}, 48, 24),
    Convert(
        [f"{EXPERT}.fc_1.weight", f"{EXPERT}.fc_2.weight"], f"{EXPERTS}.gate_up_proj", Stack(), Concatenate(dim=1)
    ),
    Convert(f"{EXPERT}.proj.weight", f"{EXPERTS}.down_proj", Stack()),
)

NEOX = {
    "norm_1": "input_layernorm",
    "norm_2": "post_attention_layernorm",
    "attn.proj": "attention.dense",
    "mlp.fc": "mlp.dense_h_to_4h",
    "mlp.proj": "mlp.dense_4h_to_h",
}
PYTHIA = (
    *modules({"wte": "embed_in", "ln_f": "final_layer_norm"}, "transformer.", "gpt_neox."),
    Rename("lm_head.weight", "lm_head.weight"),
    *modules(NEOX, "transformer.h.{i:d}.", "gpt_neox.layers.{i}."),
    Convert(
        "transformer.h.{i:d}.attn.qkv.{leaf}",
        "gpt_neox.layers.{i}.attention.query_key_value.{leaf}",
        Split(count=3),
        Concatenate(groups="num_attention_heads"),
    ),
)

MAMBA = (
    Rename("embedding.weight", "backbone.embeddings.weight"),
    Rename("mamba.layers.{i:d}.{rest:*}", "backbone.layers.{i}.{rest}"),
    Rename("norm_f.weight", "backbone.norm_f.weight"),
    Rename("lm_head.weight", "lm_head.weight"),
)

ESM_PARTS = {
    "self_attn.q_proj": "attention.self.query",
    "self_attn.k_proj": "attention.self.key",
    "self_attn.v_proj": "attention.self.value",
    "self_attn.out_proj": "attention.output.dense",
    "self_attn_layer_norm": "attention.LayerNorm",
    "fc1": "intermediate.dense",
    "fc2": "output.dense",
    "final_layer_norm": "LayerNorm",
}
ESM2 = (
    Rename("embed_tokens.weight", "esm.embeddings.word_embeddings.weight"),
    Drop("lm_head.weight", "tied to the embeddings"),
    Rename("lm_head.{rest:*}", "lm_head.{rest}"),
    *modules(dict.fromkeys(["contact_head.regression"], "esm.contact_head.regression")),
    *modules({"emb_layer_norm_after": "esm.encoder.emb_layer_norm_after"}),
    *modules(ESM_PARTS, "layers.{i:d}.", "esm.encoder.layer.{i}."),
    Rename("layers.0.self_attn.rot_emb.inv_freq", "esm.rotary_embeddings.inv_freq"),
    Drop("layers.{i:d}.self_attn.rot_emb.inv_freq", "the same in every layer"),
)


BERT = (Rename("{module:embeddings|encoder|pooler}.{rest:*}", "{module}.{rest}"),)
LANGUAGE: dict[str, Rules] = {
    "bert": BERT,
    "minilm": (Drop("embeddings.position_ids", "the port counts them"), *BERT),
    "llama": _llama({**LLAMA, **GATED}, 48, 24),
    "gemma2": _llama({**GEMMA, **GATED}, 64, 32),
    "mixtral": MIXTRAL,
    "pythia": PYTHIA,
    "mamba": MAMBA,
    "esm2": ESM2,
}

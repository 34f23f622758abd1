"""The names under which code and config files of the field have the same setting."""

from __future__ import annotations

from typing import Any

CONCEPTS: dict[str, list[str]] = {
    "hidden": [
        "hidden_size", "n_embd", "n_embed", "embed_dim", "embedding_dim", "emb_dim", "d_model", "dim", "model_dim",
        "hidden_dim", "width", "n_state", "encoder_embed_dim", "dim_model", "embedding_size", "emb_size",
    ],
    "layers": [
        "num_hidden_layers", "n_layer", "n_layers", "num_layers", "depth", "layers", "encoder_layers", "nlayers",
        "num_blocks", "n_blocks", "num_encoder_layers",
    ],
    "heads": [
        "num_attention_heads", "n_head", "n_heads", "num_heads", "heads", "nhead", "nheads",
        "encoder_attention_heads", "attention_heads",
    ],
    "groups": ["num_key_value_heads", "n_kv_heads", "n_query_groups", "num_kv_heads", "kv_heads", "n_kv_head"],
    "intermediate": [
        "intermediate_size", "ffn_dim", "d_ff", "dim_feedforward", "n_inner", "mlp_dim", "ffn_hidden_size",
        "encoder_ffn_dim", "feedforward_dim", "ff_dim", "hidden_dim_ff", "ffn_embed_dim",
    ],
    "vocabulary": [
        "vocab_size", "n_vocab", "padded_vocab_size", "num_embeddings", "num_tokens", "ntokens", "vocabulary_size",
        "n_tokens", "ntoken", "alphabet_size",
    ],
    "positions": [
        "max_position_embeddings", "n_positions", "block_size", "n_ctx", "max_seq_len", "max_len", "seq_len",
        "max_seq_length", "context_length", "max_length", "max_positions", "max_sequence_length", "num_positions",
    ],
    "types": ["type_vocab_size", "num_token_types", "n_segments", "num_segments"],
    "patch": ["patch_size", "patch_dim"],
    "image": ["image_size", "img_size", "image_resolution", "input_resolution"],
    "channels": ["num_channels", "in_chans", "in_channels", "channels", "n_channels"],
    "classes": ["num_labels", "num_classes", "n_classes", "num_class", "n_class"],
    "head width": ["head_dim", "head_size", "attention_head_size", "kv_channels", "d_head", "dim_head"],
}  # fmt: skip
"""By what the setting says; Transformers' own name comes first."""


def concept_of(name: str) -> str | None:
    """What a setting of this name says, or None."""
    return next((meaning for meaning, names in CONCEPTS.items() if name.lower() in names), None)


def by_concept(values: dict[str, Any]) -> dict[str, int]:
    """The whole numbers among some settings, by what they say."""
    found: dict[str, int] = {}
    for name, value in values.items():
        meaning = concept_of(name)
        if meaning is not None and type(value) is int:
            found.setdefault(meaning, value)
    return found

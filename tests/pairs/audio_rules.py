"""Rules for the pairs that hear."""

from __future__ import annotations

from pairs.renaming import Rules, modules

from porting.weights import Rename

WHISPER_BLOCK, WHISPER_PORTED = "{side:encoder|decoder}.blocks.{i:d}.", "model.{side}.layers.{i}."
WHISPER_PARTS = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "out": "out_proj"}
WHISPER = (
    Rename("{side:encoder|decoder}.positional_embedding", "model.{side}.embed_positions.weight"),
    *modules({"conv{n:d}": "conv{n}", "ln_post": "layer_norm"}, "encoder.", "model.encoder."),
    *modules({"ln": "layer_norm", "token_embedding": "embed_tokens"}, "decoder.", "model.decoder."),
    *modules({"mlp.0": "fc1", "mlp.2": "fc2", "mlp_ln": "final_layer_norm"}, WHISPER_BLOCK, WHISPER_PORTED),
    *modules({"attn_ln": "self_attn_layer_norm"}, WHISPER_BLOCK, WHISPER_PORTED),
    *modules({"cross_attn_ln": "encoder_attn_layer_norm"}, WHISPER_BLOCK, WHISPER_PORTED),
    *modules(WHISPER_PARTS, f"{WHISPER_BLOCK}attn.", f"{WHISPER_PORTED}self_attn."),
    *modules(WHISPER_PARTS, f"{WHISPER_BLOCK}cross_attn.", f"{WHISPER_PORTED}encoder_attn."),
)

CODEC = "{side:encoder|decoder}"
ENCODEC = (
    Rename("quantizer.vq.layers.{i:d}._codebook.{leaf}", "quantizer.layers.{i}.codebook.{leaf}"),
    Rename(f"{CODEC}.model.{{i:d}}.lstm.{{leaf}}", "{side}.layers.{i}.lstm.{leaf}"),
    *(
        Rename(f"{CODEC}.model.{{path:*}}.{kind}.{kind}.{old}", f"{{side}}.layers.{{path}}.conv.{new}")
        for kind in ("conv", "convtr")
        for old, new in {
            "bias": "bias",
            "weight_g": "parametrizations.weight.original0",
            "weight_v": "parametrizations.weight.original1",
        }.items()
    ),
)

AUDIO: dict[str, Rules] = {"whisper": WHISPER, "encodec": ENCODEC}

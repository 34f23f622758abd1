"""Whisper of openai-whisper and `WhisperForConditionalGeneration`: two stacks, cross attention, a tied head."""

from __future__ import annotations

import torch
from pairs.pair import Pair
from pairs.stubs import stubbed
from pairs.weights import load, randomize, renamed
from transformers import WhisperConfig, WhisperForConditionalGeneration

from porting.runs import Inputs

with stubbed("numba", "tiktoken", "more_itertools"):
    from whisper.model import ModelDimensions
    from whisper.model import Whisper as Original

LAYERS, WIDTH, HEADS, MELS, FRAMES, TOKENS, VOCABULARY = 3, 48, 4, 20, 30, 24, 101


def build() -> Pair:
    """Three encoder and three decoder layers."""
    original = Original(ModelDimensions(MELS, FRAMES, WIDTH, HEADS, LAYERS, VOCABULARY, TOKENS, WIDTH, HEADS, LAYERS))
    randomize(original)
    ported = WhisperForConditionalGeneration(_config())
    modules, state = _weighted(), original.state_dict()
    values = renamed(state, modules)
    for side in ("encoder", "decoder"):
        values[f"model.{side}.embed_positions.weight"] = state[f"{side}.positional_embedding"]
    load(ported, values)
    generator = torch.Generator().manual_seed(0)
    mel = torch.randn(2, MELS, 2 * FRAMES, generator=generator)
    tokens = torch.randint(3, VOCABULARY, (2, 11), generator=generator)
    return Pair(
        original.eval(),
        ported.eval(),
        Inputs(kwargs={"mel": mel, "tokens": tokens}),
        Inputs(kwargs={"input_features": mel, "decoder_input_ids": tokens, "use_cache": False}),
        {**modules, **_unweighted()},
        lambda old, new: [("logits", old, new.logits)],
    )


def _config() -> WhisperConfig:
    return WhisperConfig(
        vocab_size=VOCABULARY,
        d_model=WIDTH,
        num_mel_bins=MELS,
        encoder_layers=LAYERS,
        decoder_layers=LAYERS,
        encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS,
        encoder_ffn_dim=4 * WIDTH,
        decoder_ffn_dim=4 * WIDTH,
        max_source_positions=FRAMES,
        max_target_positions=TOKENS,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
        begin_suppress_tokens=None,
    )


def _weighted() -> dict[str, str]:
    modules = {
        "encoder.conv1": "model.encoder.conv1",
        "encoder.conv2": "model.encoder.conv2",
        "encoder.ln_post": "model.encoder.layer_norm",
        "decoder.ln": "model.decoder.layer_norm",
        "decoder.token_embedding": "model.decoder.embed_tokens",
    }
    for old, new in _layers():
        attentions = {"attn": "self_attn"} | ({"cross_attn": "encoder_attn"} if old.startswith("decoder") else {})
        for a, b in attentions.items():
            modules[f"{old}.{a}_ln"] = f"{new}.{b}_layer_norm"
            for part, name in {"query": "q_proj", "key": "k_proj", "value": "v_proj", "out": "out_proj"}.items():
                modules[f"{old}.{a}.{part}"] = f"{new}.{b}.{name}"
        for a, b in {"mlp.0": "fc1", "mlp.2": "fc2", "mlp_ln": "final_layer_norm"}.items():
            modules[f"{old}.{a}"] = f"{new}.{b}"
    return modules


def _unweighted() -> dict[str, str]:
    modules = {"encoder": "model.encoder"}
    for old, new in _layers():
        modules |= {old: new, f"{old}.attn": f"{new}.self_attn", f"{old}.mlp.1": f"{new}.activation_fn"}
        if old.startswith("decoder"):
            modules[f"{old}.cross_attn"] = f"{new}.encoder_attn"
    return modules


def _layers() -> list[tuple[str, str]]:
    return [(f"{s}.blocks.{i}", f"model.{s}.layers.{i}") for s in ("encoder", "decoder") for i in range(LAYERS)]

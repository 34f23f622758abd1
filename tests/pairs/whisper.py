"""Whisper of openai-whisper and `WhisperForConditionalGeneration`: two stacks, cross attention, a tied head."""

from __future__ import annotations

import torch
from pairs.pair import Pair
from pairs.rules import converted, renamed_modules
from pairs.stubs import stubbed
from pairs.weights import load, randomize
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
    state = original.state_dict()
    load(ported, converted("whisper", state, ported.config))
    generator = torch.Generator().manual_seed(0)
    mel = torch.randn(2, MELS, 2 * FRAMES, generator=generator)
    tokens = torch.randint(3, VOCABULARY, (2, 11), generator=generator)
    return Pair(
        original.eval(),
        ported.eval(),
        Inputs(kwargs={"mel": mel, "tokens": tokens}),
        Inputs(kwargs={"input_features": mel, "decoder_input_ids": tokens, "use_cache": False}),
        {**renamed_modules("whisper", state), **_unweighted()},
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


def _unweighted() -> dict[str, str]:
    modules = {"encoder": "model.encoder"}
    for old, new in _layers():
        modules |= {old: new, f"{old}.attn": f"{new}.self_attn", f"{old}.mlp.1": f"{new}.activation_fn"}
        if old.startswith("decoder"):
            modules[f"{old}.cross_attn"] = f"{new}.encoder_attn"
    return modules


def _layers() -> list[tuple[str, str]]:
    return [(f"{s}.blocks.{i}", f"model.{s}.layers.{i}") for s in ("encoder", "decoder") for i in range(LAYERS)]

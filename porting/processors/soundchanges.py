"""What an original may do to sounds otherwise than a port: settings of feature extractors, and other mel filters."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from porting.processors.changes import Change, Reference, setting, shapes, switches
from porting.processors.running import Processor

VALUES: Mapping[str, Sequence[Any]] = {
    "hop_length": (80, 128, 160, 200, 240, 256, 320, 400, 441, 480, 512),
    "n_fft": (256, 320, 400, 480, 512, 800, 1024, 2048),
    "fft_length": (256, 512, 1024),
    "win_length": (20, 25, 32, 64, 320, 400, 512, 1024),
    "sampling_rate": (8000, 16000, 22050, 24000, 32000, 44100, 48000),
    "padding_side": ("left", "right"),
    "padding_value": (0.0, 1.0, -1.0),
    "mel_floor": (0.0, 1e-12, 1e-10, 1e-8, 1e-6, 1e-5, 1.192092955078125e-07),
    "dither": (0.0,),
    "chunk_length": (1, 2, 5, 10, 20, 30),
    "num_mel_bins": (40, 64, 80, 128),
    "feature_size": (40, 64, 80, 128),
    "frame_signal_scale": (1.0, 32768.0),
    "preemphasis_coeff": (0.0, 0.95, 0.97),
}
"""Common values of settings of feature extractors."""


def sound_changes(processor: Processor, references: Sequence[Reference]) -> Iterator[Change]:
    """Yield changes in the order of the stages.

    Args:
        processor: of sounds.
        references: what the original makes of the samples that differ.
    """
    settings = processor.settings
    yield from switches(settings)
    for name, values in VALUES.items():
        if name in settings:
            seen = {settings[name]}
            yield from (
                setting({name: value}) for value in (*_from_shapes(name, references), *values) if value not in seen
            )
    yield from _mel_filters(processor)
    text = "the sound is an integer of 16 bits"
    yield Change("decode", text, lambda each: replace(each, before=_scaled(32768.0)))
    yield Change(
        "decode", "the sound is divided by 32768 once more", lambda each: replace(each, before=_scaled(1 / 32768))
    )


def _from_shapes(name: str, references: Sequence[Reference]) -> list[int]:
    """The values of a setting that the original's shapes suggest."""
    if name not in ("feature_size", "num_mel_bins"):
        return []
    return sorted({side for shape in shapes(references) for side in shape if 16 <= side <= 512})[:4]


def _mel_filters(processor: Processor) -> Iterator[Change]:
    filters = getattr(processor.part, "mel_filters", None)
    if not isinstance(filters, np.ndarray) or filters.ndim != 2:
        return
    highest = {"half the sampling rate": processor.rate / 2, "8 kHz": 8000.0, "7.6 kHz": 7600.0}
    for scale in ("slaney", "htk", "kaldi"):
        for norm in ("slaney", None):
            for lowest in (0.0, 20.0):
                for words, limit in highest.items():
                    text = f"mel scale {scale}, norm {norm}, from {lowest:g} Hz to {words}"
                    yield Change("mel filters", text, _with_filters(scale, norm, lowest, limit))


def _with_filters(scale: str, norm: str | None, lowest: float, highest: float) -> Callable[[Processor], Processor]:
    def apply(processor: Processor) -> Processor:
        from transformers.audio_utils import mel_filter_bank

        part = copy.deepcopy(processor.part)
        bins, count = part.mel_filters.shape
        part.mel_filters = mel_filter_bank(
            num_frequency_bins=bins, num_mel_filters=count, min_frequency=lowest, max_frequency=highest,
            sampling_rate=processor.rate, norm=norm, mel_scale=scale,
        )  # fmt: skip
        return replace(processor, part=part)

    return apply


def _scaled(factor: float) -> Callable[[Any], Any]:
    return lambda sound: np.asarray(sound, dtype=np.float32) * np.float32(factor)

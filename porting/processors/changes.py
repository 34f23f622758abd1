"""One change of a processor: which stage it is of, in words, and how it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from porting.processors.running import Processor
from porting.text import show

BESIDE = " and "
"""Between the names of two stages."""
STAGES = {
    "do_convert_rgb": "decode",
    "do_flip_channel_order": "channel order",
    "do_resize": "resize",
    "size": "resize",
    "resample": "resize",
    "do_center_crop": "centre crop",
    "crop_size": "centre crop",
    "do_rescale": "rescale",
    "rescale_factor": "rescale",
    "do_normalize": "normalise",
    "image_mean": "normalise",
    "image_std": "normalise",
    "do_pad": "pad",
    "pad_size": "pad",
    "padding_side": "pad",
    "padding_value": "pad",
    "chunk_length": "truncation",
    "hop_length": "framing",
    "n_fft": "framing",
    "win_length": "framing",
    "sampling_rate": "mel filters",
    "feature_size": "mel filters",
    "num_mel_bins": "mel filters",
    "dither": "log",
    "mel_floor": "log",
}
"""The stage that a setting belongs to; any other is a stage by its own name."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What the original makes of a sample.

    Attributes:
        value: of the sample.
        name: of the port's array that is held against it.
        array: the original's, without batch axis, channels first.
    """

    value: Any
    name: str
    array: np.ndarray


@dataclass(frozen=True, slots=True)
class Change:
    """A change that may make the port's processor agree with the original.

    Attributes:
        stage: of preprocessing.
        text: what the original does, as opposed to the port.
        apply: the changed processor; it may raise where the class does not take the change.
        convention: whether it undoes what Transformers itself does in every processor.
        rebuilds: whether the processor is built anew from its settings.
    """

    stage: str
    text: str
    apply: Callable[[Processor], Processor]
    convention: bool = False
    rebuilds: bool = False


def setting(settings: Mapping[str, Any], text: str = "", stage: str = "") -> Change:
    """Other values of settings; the first names the stage."""
    shown = ", ".join(f"{name} = {show(repr(value), 80)}" for name, value in settings.items())
    key = next(iter(settings))
    return Change(
        stage or STAGES.get(key, key), text or shown, lambda processor: processor.changed(**settings), rebuilds=True
    )


def both(one: Change, two: Change) -> Change:
    """Two changes at once."""
    return Change(
        one.stage if one.stage == two.stage else f"{one.stage}{BESIDE}{two.stage}",
        f"{one.text}; {two.text}",
        lambda processor: two.apply(one.apply(processor)),
        convention=one.convention and two.convention,
        rebuilds=one.rebuilds or two.rebuilds,
    )


def switches(settings: Mapping[str, Any]) -> Iterator[Change]:
    """Every setting that is on or off, the other way round."""
    for name, value in settings.items():
        if isinstance(value, bool) or (value is None and name.startswith("do_")):
            yield setting({name: not value})


def shapes(references: Sequence[Reference]) -> set[tuple[int, ...]]:
    """The shapes of the original's arrays."""
    return {reference.array.shape for reference in references}

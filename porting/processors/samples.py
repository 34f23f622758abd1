"""The samples on which processors are compared: images and sounds that bring out mistakes of every stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from porting.errors import PortfileError
from porting.kinds import kind_of

Kind = Literal["image", "audio"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample.

    Attributes:
        label: what is special about it.
        kind: of content.
        value: an image of PIL, or the float32 samples of one channel.
        usual: whether every preprocessing should take it; gray, transparent and oddly sized images are not.
    """

    label: str
    kind: Kind
    value: Any
    usual: bool = True


def samples_of(kind: Kind, rate: int = 16000) -> list[Sample]:
    """The built-in samples of a kind.

    Args:
        kind: of content.
        rate: of sounds, in samples per second.
    """
    return list(_images()) if kind == "image" else list(_sounds(rate))


def given_samples(value: Any) -> list[Sample]:
    """The samples that the portfile's ``samples()`` returned: images of PIL or arrays are images, unless they have one
    axis.

    Raises:
        PortfileError: it is no list, or holds something else.
    """
    wanted = "samples() must return a list of PIL images and one-dimensional arrays of sound"
    if not isinstance(value, (list, tuple)):
        raise PortfileError(f"{wanted}, and returned {kind_of(value)}")
    return [Sample(f"samples()[{number}]", _kind(each, wanted), each) for number, each in enumerate(value)]


def _kind(value: Any, wanted: str) -> Kind:
    from PIL import Image

    if isinstance(value, Image.Image):
        return "image"
    if hasattr(value, "shape"):
        return "audio" if len(value.shape) == 1 else "image"
    raise PortfileError(f"{wanted}, and one is {kind_of(value)}")


def _images() -> Iterator[Sample]:
    from PIL import Image

    def image(width: int, height: int, seed: int) -> Image.Image:
        return Image.fromarray(_picture(width, height, seed))

    yield Sample("a wide image", "image", image(320, 160, 1))
    yield Sample("a high image", "image", image(128, 192, 2))
    yield Sample("a large square image", "image", image(512, 512, 3))
    yield Sample("a small image", "image", image(24, 12, 4))
    yield Sample("an image of odd sides", "image", image(301, 203, 5), usual=False)
    yield Sample("an image of one pixel", "image", image(1, 1, 6), usual=False)
    yield Sample("a gray image", "image", image(160, 160, 7).convert("L"), usual=False)
    alpha = np.dstack([_picture(160, 160, 8), _picture(160, 160, 9)[..., :1]])
    yield Sample("a transparent image", "image", Image.fromarray(alpha), usual=False)


def _picture(width: int, height: int, seed: int) -> np.ndarray:
    """Gradients that differ by channel and side, edges, and noise: (height, width, 3) of uint8."""
    across, down = np.linspace(0, 1, width)[None], np.linspace(0, 1, height)[:, None]
    noise = np.random.default_rng(seed).random((height, width, 3))
    stripes = ((np.arange(width)[None] // 3 + np.arange(height)[:, None] // 5) % 2).astype(float)
    red, green, blue = 0.9 * across + 0 * down, 0.5 * down + 0 * across, 0.2 + 0.6 * across * down
    picture = 0.6 * np.stack([red, green, blue], -1) + 0.2 * stripes[..., None] + 0.2 * noise
    return np.asarray(np.clip(picture * 255, 0, 255).round(), dtype=np.uint8)


def _sounds(rate: int) -> Iterator[Sample]:
    random = np.random.default_rng(0)

    def chirp(seconds: float) -> np.ndarray:
        time = np.arange(int(seconds * rate)) / rate
        sweep = 0.4 * np.sin(2 * np.pi * (80 + 0.2 * rate * time / max(seconds, 0.1)) * time)
        return np.asarray(sweep + 0.02 * random.standard_normal(len(time)), dtype=np.float32)

    yield Sample("a chirp of one second", "audio", chirp(1.0))
    yield Sample("a chirp of an odd length", "audio", chirp(1.37)[:-1])
    quiet = chirp(0.8)
    quiet[len(quiet) // 3 : 2 * len(quiet) // 3] = 0
    yield Sample("a sound with a silence inside", "audio", quiet)
    yield Sample("a loud sound off zero", "audio", np.asarray(2 * chirp(0.5) + 0.3, dtype=np.float32))
    yield Sample("a short sound", "audio", chirp(0.06), usual=False)
    yield Sample("a sound of 31 seconds", "audio", chirp(31.0))
    yield Sample("silence", "audio", np.zeros(rate // 2, dtype=np.float32), usual=False)

"""Preprocessing as originals have it, with PIL and NumPy alone: open_clip's and timm's evaluation transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

Preprocess = Callable[[Any], dict[str, np.ndarray]]

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5)


def open_clip(edge: int, crop: int) -> Preprocess:
    """Resize the shortest side, crop the centre, normalise."""

    def preprocess(image: Any) -> dict[str, np.ndarray]:
        image = image.convert("RGB")
        width, height = image.size
        short = min(width, height)
        sides = (int(edge * width / short), int(edge * height / short)) if short != edge else (width, height)
        image = image.resize(sides, Image.Resampling.BICUBIC)
        left, top = (round((side - crop) / 2) for side in image.size)
        image = image.crop((left, top, left + crop, top + crop))
        return {"image": normalised(np.asarray(image), CLIP_MEAN, CLIP_STD)}

    return preprocess


def timm_vit(size: int, resample: int = Image.Resampling.BILINEAR) -> Preprocess:
    """Squash to a square, normalise to [-1, 1]."""

    def preprocess(image: Any) -> dict[str, np.ndarray]:
        image = image.convert("RGB").resize((size, size), resample)
        return {"x": normalised(np.asarray(image), HALF, HALF)[None]}

    return preprocess


def normalised(pixels: np.ndarray, mean: tuple[float, ...], std: tuple[float, ...]) -> np.ndarray:
    """(height, width, 3) of uint8 as (3, height, width) of float32."""
    values = (pixels.astype(np.float32) / 255 - np.array(mean, np.float32)) / np.array(std, np.float32)
    return np.asarray(values.transpose(2, 0, 1))

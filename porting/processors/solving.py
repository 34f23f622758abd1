"""Relations of two sets of arrays that tell a stage by themselves: a scale and an offset, a floor, a border."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from porting.processors.pairing import agree
from porting.tolerance import Tolerance

Line = tuple[np.ndarray, np.ndarray]
"""Scale and offset of each channel: original = scale * ported + offset."""
LOGS = {
    "natural logarithm in place of base 10": np.log(10),
    "base 10 in place of the natural logarithm": 1 / np.log(10),
    "decibels of the power": 10.0,
    "decibels of the amplitude": 20.0,
}
"""Factors between logarithms."""
NEAR = 1e-3
"""Relative distance at which two solved numbers are the same."""


def line(originals: Sequence[np.ndarray], porteds: Sequence[np.ndarray], tolerance: Tolerance) -> Line | None:
    """The scale and offset of each channel by which all arrays agree; None if there are none.

    Args:
        originals: with channels as their first axis.
        porteds: of the same shapes.
        tolerance: within which they agree then.
    """
    if any(one.shape != two.shape for one, two in zip(originals, porteds, strict=True)):
        return None
    wanted, given = (np.concatenate([each.reshape(len(each), -1) for each in arrays], 1, dtype=np.float64)
                     for arrays in (originals, porteds))  # fmt: skip
    if not (np.isfinite(wanted).all() and np.isfinite(given).all()):
        return None
    middle = given.mean(1, keepdims=True)
    spread = ((given - middle) ** 2).mean(1)
    if (spread < 1e-10).any():
        return None
    scale = ((given - middle) * (wanted - wanted.mean(1, keepdims=True))).mean(1) / spread
    offset = wanted.mean(1) - scale * middle[:, 0]
    fits = agree(wanted, scale[:, None] * given + offset[:, None], tolerance)
    return (scale, offset) if fits and (np.abs(scale) > NEAR).all() else None


def as_normalisation(found: Line, settings: Mapping[str, Any]) -> tuple[str, str]:
    """The stage and the settings that a scale and an offset of pixel values mean."""
    scale, offset = found
    normalised = settings.get("do_normalize") and settings.get("image_mean") is not None
    mean, std = (_channels(settings.get(name) if normalised else default, len(scale))
                 for name, default in (("image_mean", 0.0), ("image_std", 1.0)))  # fmt: skip
    new_mean, new_std = mean - offset * std / scale, std / scale
    factor = float(settings.get("rescale_factor") or 1.0) if settings.get("do_rescale") else 1.0
    common = new_std / std
    alike = np.ptp(common) <= NEAR * abs(common[0])
    if alike and np.allclose(new_mean, common * mean, atol=NEAR * abs(common[0])):
        return "rescale", f"do_rescale = True, rescale_factor = {factor / common[0]:.6g}"
    if np.allclose(new_mean, 0, atol=NEAR) and np.allclose(new_std, 1, atol=NEAR):
        return "normalise", "do_normalize = False"
    values = [[float(f"{value:.4g}") for value in each] for each in (new_mean, new_std)]
    return "normalise", f"do_normalize = True, image_mean = {values[0]}, image_std = {values[1]}"


def as_scale(found: Line) -> tuple[str, str]:
    """The stage and the relation that one scale and offset of all features mean."""
    scale, offset = float(found[0][0]), float(found[1][0])
    for words, factor in LOGS.items():
        if abs(scale / factor - 1) < NEAR:
            return "log", words
    return "normalise", f"original = {scale:.6g} * ported + {offset:.6g}"


def floors(
    originals: Sequence[np.ndarray], porteds: Sequence[np.ndarray], tolerance: Tolerance
) -> Iterator[tuple[str, str]]:
    """Yield that one side cuts off small values that the other keeps."""
    pairs = list(zip(originals, porteds, strict=True))
    if any(one.shape != two.shape or not one.size for one, two in pairs):
        return
    if all(agree(one, np.maximum(two, one.min()), tolerance) for one, two in pairs):
        lowest = max(float(one.min()) for one, _ in pairs)
        yield "log", f"the original cuts off small values (at {lowest:.6g}, or below), which the port keeps"
    if all(agree(np.maximum(one, two.min()), two, tolerance) for one, two in pairs):
        lowest = max(float(two.min()) for _, two in pairs)
        yield "log", f"the port cuts off small values (at {lowest:.6g}, or below), which the original keeps"


def borders(
    originals: Sequence[np.ndarray], porteds: Sequence[np.ndarray], tolerance: Tolerance
) -> Iterator[tuple[str, str]]:
    """Yield that the arrays agree but for what surrounds them: its value, its side, its length."""
    pairs = list(zip(originals, porteds, strict=True))
    inner = [(_within(one), _within(two)) for one, two in pairs]
    if all(one.size and agree(one, two, tolerance) for one, two in inner):
        edges = sorted({(float(one.flat[-1]), float(two.flat[-1])) for one, two in pairs})
        yield (
            "pad",
            f"the same content is padded otherwise (at the end, {edges[0][0]:.6g} in place of {edges[0][1]:.6g})",
        )
    for stage, text in (("framing", "at the end"), ("framing", "at the start")):
        cut = [_overlap(one, two, text == "at the end") for one, two in pairs]
        if all(part is not None and agree(*part, tolerance) for part in cut):
            more = {two.shape[-1] - one.shape[-1] for one, two in pairs}
            yield stage, f"the port has {sorted(more)} positions more {text}"


def _within(array: np.ndarray) -> np.ndarray:
    """What is left without constant rows and columns at the borders that equal one of the corners."""
    best = array
    for corner in {array.flat[0], array.flat[-1]}:
        different = np.argwhere(array != corner)
        if len(different):
            sides = tuple(slice(low, high + 1) for low, high in zip(different.min(0), different.max(0), strict=True))
            best = min(best, array[sides], key=lambda each: each.size)
    return best


def _overlap(one: np.ndarray, two: np.ndarray, start: bool) -> tuple[np.ndarray, np.ndarray] | None:
    """Two arrays cut to the shorter's length along the last axis; None where nothing is to cut, or too little left."""
    shorter = min(one.shape[-1], two.shape[-1]) if one.shape[:-1] == two.shape[:-1] and one.ndim else 0
    if one.shape == two.shape or shorter < 2:
        return None
    kept = slice(0, shorter) if start else slice(-shorter, None)
    return one[..., kept], two[..., kept]


def _channels(value: Any, count: int) -> np.ndarray:
    return np.broadcast_to(np.asarray(value, dtype=np.float64), (count,))

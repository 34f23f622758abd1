"""Which probes there are for what a port is given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from porting.inputs.roles import colour_axis
from porting.inputs.settings import scaled_from
from porting.probes.surveying import Survey, positions_allowed

CHEAP, OFFSET = 514, 2
"""Up to so many positions a text takes all that there are, but for those that a table may keep for an offset."""
MOST = 8192
"""The longest text that a probe makes by itself."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The inputs of a probe in words and figures.

    Attributes:
        name: of the probe.
        description: of the inputs.
        rows: of the batch.
        length: of texts or signals; None leaves it.
        padding: which side is padded.
        size: height and width of images; None leaves it.
        obstacle: why the probe cannot be made; empty if it can.
    """

    name: str
    description: str
    rows: int
    length: int | None = None
    padding: Literal["", "left", "right"] = ""
    size: tuple[int, int] | None = None
    obstacle: str = ""


def plans(found: Survey) -> Iterator[Plan]:
    """The probes for texts, images or signals; text decides where there are several."""
    rows = max(found.rows, 2) + 1
    if found.of_role("tokens"):
        yield from _texts(found, rows)
    elif found.of_role("image"):
        yield from _images(found, rows)
    elif found.of_role("signal"):
        yield from _signals(found, rows)
    else:
        unknown = "none of the inputs is a text, an image or a sound that could be made anew"
        yield Plan("batch", f"{rows} different rows", rows, obstacle=unknown)


def _texts(found: Survey, rows: int) -> Iterator[Plan]:
    allowed = min(positions_allowed(found) or MOST, MOST)
    usual = min(max(found.length, 8), max(allowed, found.length))
    fixed = "the text holds placeholders, which only have a meaning where they are" if found.placeholders else ""
    usual = found.length if fixed else usual
    yield Plan("batch", f"{rows} different rows of {usual} distinct tokens", rows, usual)
    longer = min(max(2 * found.length, found.window + found.window // 4 + 1, 16), allowed)
    longer = max(longer, allowed - OFFSET) if allowed <= CHEAP else longer
    reach = f", past the window of {found.window}" if 0 < found.window < longer else ""
    short = "" if longer > found.length else f"the text is as long as the config allows already ({allowed})"
    yield Plan("long", f"2 rows of {longer} tokens{reach}", 2, longer, obstacle=fixed or short)
    start = scaled_from(found.settings)
    if start is not None:
        length = start + max(start // 2, 1)
        far = "" if length <= MOST else f"rotations are scaled past {start} tokens only, which is a long run"
        text = f"1 row of {length} tokens, past the {start} from which rotations are scaled"
        yield Plan("scaled-rotation", text, 1, length, obstacle=fixed or far)
    unmasked = "" if found.mask else "there is no attention mask that both sides take: give one in the inputs"
    for side in ("right", "left"):
        text = f"{rows} rows of different lengths, padded on the {side} to {usual}"
        yield Plan(f"padded-{side}", text, rows, usual, padding=side, obstacle=fixed or unmasked)
    yield Plan("single-token", "2 rows of one token", 2, 1, obstacle=fixed)


def _images(found: Survey, rows: int) -> Iterator[Plan]:
    image = next(iter(found.of_role("image").values()))
    height, width = image.shape[2:] if colour_axis(image) == 1 else image.shape[1:3]
    yield Plan("batch", f"{rows} different images of {height} x {width}", rows)
    step = _patch(found) or max(2, height // 4 * 2)
    even = 1 if _patch(found) else 2  # strides and odd sizes hide which side is padded
    size = ((height + step) // even * even, (width + 2 * step) // even * even)
    yield Plan("image-size", f"2 images of {size[0]} x {size[1]}", 2, size=size)
    if not _patch(found):
        odd = (height + 1 | 1, width + 3 | 1)
        yield Plan("image-odd", f"2 images of {odd[0]} x {odd[1]}", 2, size=odd)


def _patch(found: Survey) -> int:
    sizes = [value for name, value in found.settings.items() if name.endswith("patch_size")]
    return next((max(v) if isinstance(v, (list, tuple)) else v for v in sizes if v), 0)


def _signals(found: Survey, rows: int) -> Iterator[Plan]:
    signal = next(iter(found.of_role("signal").values()))
    length = signal.shape[time_axis(found, tuple(signal.shape))]
    yield Plan("batch", f"{rows} different rows of {length}", rows)
    yield Plan("long", f"2 rows of {2 * length}", 2, 2 * length)
    odd = length + max(length // 3, 1) | 1
    yield Plan("odd-length", f"2 rows of {odd}", 2, odd)
    if found.mask:
        text = f"{rows} rows of different lengths, padded on the right to {length}"
        yield Plan("padded-right", text, rows, length, padding="right")


def time_axis(found: Survey, shape: tuple[int, ...]) -> int:
    """The axis of time of a signal: not that whose size the config or the number of channels explains."""
    if len(shape) == 2:
        return 1
    sizes = {value for name, value in found.settings.items() if type(value) is int and _is_width(name)}
    if shape[1] <= 2 or (shape[1] in sizes) != (shape[2] in sizes):
        return 2 if shape[1] <= 2 or shape[1] in sizes else 1
    return 1 if shape[1] >= shape[2] else 2


def _is_width(name: str) -> bool:
    parts = ("mel", "feature", "channel", "hidden_size", "d_model", "input_dim", "input_size", "n_embd")
    return any(part in name for part in parts)

"""Rotary positions: pairs of channels turned by angles, read off from tensors before and after."""

from __future__ import annotations

from dataclasses import dataclass

import torch

EXACT = 1e-4
"""Relative difference up to which two tensors are the same, rounding aside."""
LAYOUTS = ("halves", "interleaved")


@dataclass(frozen=True, slots=True)
class Rotation:
    """Pairs of channels turned.

    Attributes:
        layout: ``halves`` (channel i with i + size / 2) or ``interleaved`` (2i with 2i + 1).
        start: the first channel that is turned.
        size: how many channels are turned.
        angles: (batch or 1, length, size / 2), float64.
    """

    layout: str
    start: int
    size: int
    angles: torch.Tensor

    def apply(self, tensor: torch.Tensor) -> torch.Tensor:
        """A tensor of (batch, heads, length, channels), turned; computed in its own precision."""
        before, middle, after = tensor.tensor_split((self.start, self.start + self.size), dim=-1)
        one, other = _pairs(middle, self.layout)
        angles = self.angles[:, None].to(tensor.device)
        cos, sin = angles.cos().to(tensor.dtype), angles.sin().to(tensor.dtype)
        turned = _joined(one * cos - other * sin, other * cos + one * sin, self.layout)
        return torch.cat((before, turned, after), dim=-1)

    def for_width(self, width: int, own: int) -> Rotation:
        """The rotation of heads of another width, with the same base and share of the channels."""
        size = self.size * width // own
        if self.theta is None:
            raise ValueError("the frequencies do not fall geometrically")
        angles = standard_angles(self.angles.shape[1], size, self.theta)
        return Rotation(self.layout, self.start * width // own, size, angles)

    @property
    def frequencies(self) -> torch.Tensor:
        """By how much each pair turns from one position to the next, in radians."""
        steps = torch.diff(self.angles, dim=1)
        return torch.atan2(steps.sin(), steps.cos()).median(dim=1).values[0]

    @property
    def theta(self) -> float | None:
        """The base of the frequencies, if they fall geometrically; None if they do not."""
        logs = self.frequencies.abs().clamp(min=1e-30).log()
        if len(logs) < 2 or float((logs.diff() - logs.diff().mean()).abs().max()) > 1e-2:
            return None
        return float((-logs.diff().mean() * len(logs)).exp())


def find_rotation(before: torch.Tensor, after: torch.Tensor) -> Rotation | None:
    """The rotation that makes ``after`` of ``before``, (batch, heads, length, channels) both; None if none is."""
    moved = (before != after).flatten(0, -2).any(0).nonzero().flatten().tolist()
    if not moved:
        return None
    width = before.shape[-1]
    first, last = moved[0], moved[-1] + 1
    spans = dict.fromkeys([(first, last - first), (0, width), (0, last), (first, width - first), (0, width // 2)])
    for start, size in spans:
        if size % 2 == 0 and start <= first and start + size >= last:
            for layout in LAYOUTS:
                found = Rotation(layout, start, size, _angles(before, after, layout, slice(start, start + size)))
                if same(found.apply(before), after):
                    return found
    return None


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors are equal but for rounding."""
    if one.shape != other.shape:
        return False
    size = float(other.abs().max()) if other.numel() else 0.0
    loose = EXACT if torch.finfo(other.dtype).bits >= 32 else 4 * torch.finfo(other.dtype).eps
    return float((one - other).abs().max()) <= loose * size if size else not bool(one.any())


def standard_angles(length: int, size: int, theta: float, width: int | None = None) -> torch.Tensor:
    """Angles of (1, length, size / 2): position by theta ** (-2i / width), where width is the size if not given."""
    exponents = torch.arange(0, size, 2, dtype=torch.float64) / (width or size)
    return torch.outer(torch.arange(length, dtype=torch.float64), theta**-exponents)[None]


def _angles(before: torch.Tensor, after: torch.Tensor, layout: str, span: slice) -> torch.Tensor:
    one, other = (torch.complex(*_pairs(tensor[..., span].double(), layout)) for tensor in (before, after))
    turned = (other * one.conj()).sum(1)
    if len(turned) > 1 and bool(torch.isclose(turned.angle(), turned[:1].angle(), atol=1e-4).all()):
        turned = turned.sum(0, keepdim=True)
    return turned.angle()


def _pairs(tensor: torch.Tensor, layout: str) -> tuple[torch.Tensor, torch.Tensor]:
    if layout == "halves":
        one, other = tensor.chunk(2, dim=-1)
        return one, other
    return tensor[..., 0::2], tensor[..., 1::2]


def _joined(one: torch.Tensor, other: torch.Tensor, layout: str) -> torch.Tensor:
    return torch.cat((one, other), -1) if layout == "halves" else torch.stack((one, other), -1).flatten(-2)

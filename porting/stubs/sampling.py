"""Which elements of an output a generated test looks at, and the sums in which every element counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

MOST_ROWS = 4
PLACES_OF_ROW = 2
CHANNELS = 8
SUMS = 16


@dataclass(frozen=True, slots=True)
class Sample:
    """Places over all axes but the last, and channels of the last: ``tensor[places][:, channels]``.

    Attributes:
        places: for each leading axis the index at every place; ``(None,)`` for a tensor of one axis.
        channels: ascending.
        valid: which elements count in the sums: nested lists of 0 and 1 over the leading axes; None: all.
    """

    places: tuple[list[int] | None, ...]
    channels: list[int]
    valid: list[object] | None = None

    def means(self, tensor: torch.Tensor) -> torch.Tensor:
        """The mean over all channels at each place, in float32 on the cpu."""
        return self._rows(tensor).mean(-1)

    def values(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sampled elements in float32 on the cpu: (places, channels)."""
        return self._rows(tensor)[:, self.channels]

    def sums(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sums of consecutive parts of all elements that count, each times a fixed weight: float64, (`SUMS`,)."""
        elements = tensor.double().cpu() if self.valid is None else tensor.double().cpu()[torch.tensor(self.valid) > 0]
        weights = torch.arange(elements.numel(), dtype=torch.float64, device="cpu").square().cos()
        return torch.stack([part.sum() for part in (elements.flatten() * weights).tensor_split(SUMS)])

    def _rows(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.float().cpu()[self.places]


def choose(tensor: torch.Tensor, mask: torch.Tensor | None, moved: Sequence[torch.Tensor] = ()) -> Sample:
    """Choose what to look at: places of the first rows and channels where most of what can be wrong shows.

    Args:
        tensor: of at least one axis, with a valid element.
        mask: bool, broadcastable to the tensor: what counts; None: everything.
        moved: how far each element moved when a module was perturbed, of as many modules as were; without any, those
            elements are chosen that differ most from the others of their channel.
    """
    counted = torch.ones_like(tensor, dtype=torch.bool) if mask is None else mask.expand(tensor.shape)
    moves = [_shares(move, counted) for move in moved or [_unusual(tensor, counted)]]
    if tensor.dim() == 1:
        return Sample((None,), _greedy(torch.stack(moves), counted, CHANNELS), _written(counted))
    places = _places(torch.stack([move.amax(-1) for move in moves]), counted.any(-1))
    while not counted[places].all(0).any():
        places = tuple(index[:-1] for index in places)
    channels = torch.stack([move[places].amax(0) for move in moves])
    indices = tuple(index.tolist() for index in places)
    return Sample(indices, _greedy(channels, counted[places].all(0), CHANNELS), _written(counted))


def _places(scores: torch.Tensor, valid: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Some valid places of each of the first rows, as one index tensor for each axis.

    Args:
        scores: of each move at each place: (moves, *leading axes).
        valid: bool over the leading axes.
    """
    rows = [row for row in range(len(valid)) if bool(valid[row].any())][:MOST_ROWS]
    chosen = []
    for row in rows:
        flat = scores[:, row].reshape(len(scores), -1)
        for index in _greedy(flat, valid[row].reshape(-1), PLACES_OF_ROW):
            at = torch.unravel_index(torch.tensor(index, device="cpu"), valid.shape[1:]) if valid.dim() > 1 else ()
            chosen.append([row, *(int(each) for each in at)])
    return torch.tensor(chosen, device="cpu").unbind(1)


def _greedy(scores: torch.Tensor, usable: torch.Tensor, most: int) -> list[int]:
    """The candidates that together show every move well: each time the one that adds most to the roots of the sums.

    Args:
        scores: of each move at each candidate, at most 1: (moves, candidates).
        usable: which candidates may be chosen.
        most: how many are.
    """
    chosen: list[int] = []
    seen = torch.zeros(len(scores), 1, dtype=torch.float64, device="cpu")
    for _ in range(min(most, int(usable.sum()))):
        gain = (seen + scores.double()).sqrt().sum(0).masked_fill(~usable, -1.0)
        gain[chosen] = -1.0
        chosen.append(int(gain.argmax()))
        seen += scores[:, chosen[-1:]]
    return sorted(chosen)


def _shares(move: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """How far each element that counts moved, as a share of the furthest."""
    sizes = move.float().cpu().abs().nan_to_num(0.0, posinf=0.0).masked_fill(~counted, 0.0)
    return sizes / sizes.max().clamp(min=torch.finfo(sizes.dtype).tiny)


def _unusual(tensor: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """How far each element is from the mean of its channel, or from 0 where there is one row."""
    rows = tensor.float().masked_fill(~counted, torch.nan)
    flat = rows.reshape(-1, rows.shape[-1])
    known = flat.isfinite()
    return tensor.float() if int(known.sum(0).max()) < 2 else rows - flat.masked_fill(~known, torch.nan).nanmean(0)


def _written(counted: torch.Tensor) -> list[object] | None:
    """The mask over as few leading axes as tell it; None where all counts."""
    if bool(counted.all()):
        return None
    while counted.dim() > 1 and bool((counted == counted[..., :1]).all()):
        counted = counted[..., 0]
    return counted.long().tolist()

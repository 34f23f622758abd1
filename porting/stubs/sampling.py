"""Which elements of an output a generated test looks at: few, valid, and where the values vary most."""

from __future__ import annotations

from dataclasses import dataclass

import torch

MOST_ROWS = 4
CHANNELS = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """Places over all axes but the last, and channels of the last: ``tensor[places][:, channels]``.

    Attributes:
        places: for each leading axis the index at every place; ``(None,)`` for a tensor of one axis.
        channels: ascending.
    """

    places: tuple[list[int] | None, ...]
    channels: list[int]

    def means(self, tensor: torch.Tensor) -> torch.Tensor:
        """The mean over all channels at each place, in float32 on the cpu."""
        return self._rows(tensor).mean(-1)

    def values(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sampled elements in float32 on the cpu: (places, channels)."""
        return self._rows(tensor)[:, self.channels]

    def _rows(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.float().cpu()[self.places]


def choose(tensor: torch.Tensor, valid: torch.Tensor | None) -> Sample:
    """Choose what to look at: of the first rows, the last and the middle valid position; of each eighth of the
    channels, the one whose value varies most over the valid places.

    Args:
        tensor: of at least one axis, with a valid element.
        valid: bool, broadcastable to the tensor: what counts; None: everything.
    """
    mask = torch.ones_like(tensor, dtype=torch.bool) if valid is None else valid.expand(tensor.shape)
    if tensor.dim() == 1:
        return Sample((None,), _channels(tensor[None], mask))
    places = _places(mask.any(-1))
    while not mask[places].all(0).any():
        places = tuple(index[:-1] for index in places)
    rows = tensor.float().masked_fill(~mask, torch.nan)[mask.any(-1)]
    return Sample(tuple(index.tolist() for index in places), _channels(rows, mask[places].all(0)))


def _places(valid: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The middle and the last valid place of each of the first rows, as one index tensor for each axis."""
    of_row: dict[int, list[list[int]]] = {}
    for place in valid.nonzero().tolist():
        of_row.setdefault(place[0], []).append(place)
    chosen = [places[at] for places in list(of_row.values())[:MOST_ROWS] for at in {len(places) // 2, len(places) - 1}]
    return torch.tensor(sorted(chosen), device="cpu").unbind(1)


def _channels(rows: torch.Tensor, usable: torch.Tensor) -> list[int]:
    """The usable channel of the largest spread in each of `CHANNELS` parts of the last axis."""
    spread = _spread(rows).masked_fill(~usable, -1.0)
    parts = torch.arange(len(spread), device="cpu").tensor_split(CHANNELS)
    best = (int(part[spread[part].argmax()]) for part in parts if len(part))
    return [channel for channel in best if usable[channel]]


def _spread(rows: torch.Tensor) -> torch.Tensor:
    """Per channel the variance over the rows, or the magnitude where there is one; what is not finite counts as 0."""
    if len(rows) == 1:
        return rows[0].float().abs().nan_to_num(0.0, posinf=0.0)
    centred = rows - rows.nanmean(0)
    return centred.square().nanmean(0).nan_to_num(0.0, posinf=0.0)

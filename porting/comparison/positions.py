"""Which elements of a tensor count: the valid positions, followed along its batch and sequence axes."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from porting.comparison.sequences import Key, Sequences
from porting.trace import Trace


@dataclass(frozen=True, slots=True)
class Positions:
    """The positions that count in a trace.

    Attributes:
        valid: bool over (batch, sequence); None: all do.
        ambiguous: whether some activation is as wide as the sequences are long, so that an axis of that size may be
            either; then an axis that may hold channels is counted whole.
        sequences: the positions of an encoder's and a decoder's sequence, where the run has both.
    """

    valid: torch.Tensor | None
    ambiguous: bool = False
    sequences: Sequences | None = None

    @classmethod
    def of(cls, trace: Trace) -> Positions:
        """The positions of a trace, and whether its activations leave the sequence axis open."""
        valid = trace.valid_positions()
        if valid is None:
            return cls(None)
        sequences = Sequences.of(trace, valid)
        known = [valid] if sequences is None else [sequences.main, sequences.decoder]
        padded = [each for each in known if each is not None and not each.all()]
        if not padded:
            return cls(None)
        leaves = (leaf for call in trace.calls for leaf in call.outputs.tensor_leaves() if "float" in str(leaf.dtype))
        widths = {leaf.shape[-1] for leaf in leaves if leaf.shape and len(leaf.shape) > 2 and not _is_map(leaf.shape)}
        return cls(valid, any(each.shape[1] in widths for each in padded), sequences)

    def mask(self, tensor: torch.Tensor, key: Key | None = None, leaf: str = "") -> torch.Tensor | None:
        """What counts of a tensor, as `position_mask` finds it; None: everything.

        Args:
            tensor: of the port, or in its layout.
            key: step, path and call index of the ported call that it belongs to, which tells the sequence.
            leaf: its name there.
        """
        shape = tuple(tensor.shape)
        valid = self.sequences.choose(key, leaf, shape) if self.sequences else self.valid
        if valid is None or (self.ambiguous and tensor.is_floating_point() and not _decided(shape, valid)):
            return None
        return position_mask(shape, valid)


def _decided(shape: tuple[int, ...], valid: torch.Tensor) -> bool:
    """Whether an axis other than the last, which may hold channels, is as long as the sequences."""
    batch, length = valid.shape
    return length in shape[1:-1] or shape[:1] in ((length,), (batch * length,))


def _is_map(shape: tuple[int, ...]) -> bool:
    """Whether both last axes are positions, as of attention weights."""
    return len(shape) > 3 and shape[-1] == shape[-2]


def position_mask(shape: tuple[int, ...], valid: torch.Tensor | None) -> torch.Tensor | None:
    """The valid positions as a mask of ``shape``; None if all count or no axes fit.

    The batch axis is the first of the batch's size, the sequence axis the one after it if it has the sequence's
    size, else the first other axis of that size: (B, T, C), (T, B, C), (B, H, T, D), and the queries of (B, H, T, T),
    each of which must treat every key alike on both sides.
    A first axis of B * T is both (batch and sequence flattened). Of (B, T, T, D), where as many heads as positions
    leave open which axis is which, only that counts which is valid on either reading.

    Args:
        shape: of the tensor to compare.
        valid: bool over (batch, sequence).
    """
    if valid is None or bool(valid.all()):
        return None
    batch, length = valid.shape
    if shape and shape[0] == batch * length and batch > 1 and length not in shape[1:]:
        return valid.reshape(-1, *[1] * (len(shape) - 1)).expand(shape)
    if len(shape) == 4 and shape[:3] == (batch, length, length):
        return (_placed(valid, 4, 0, 1) & _placed(valid, 4, 0, 2)).expand(shape)
    axes = _axes(shape, batch, length)
    return None if axes is None else _placed(valid, len(shape), *axes).expand(shape)


def _axes(shape: tuple[int, ...], batch: int, length: int) -> tuple[int, int] | None:
    """The batch axis and the sequence axis."""
    if len(shape) < 2:
        return None
    if shape[:2] == (batch, length):
        return 0, 1
    if shape[:2] == (length, batch):
        return 1, 0
    if len(shape) == 2 or shape[0] != batch or length not in shape[1:]:
        return None
    return 0, shape.index(length, 1)


def _placed(valid: torch.Tensor, dims: int, batch_axis: int, axis: int) -> torch.Tensor:
    shape = [1] * dims
    shape[batch_axis], shape[axis] = valid.shape
    return (valid if batch_axis < axis else valid.t()).reshape(shape)

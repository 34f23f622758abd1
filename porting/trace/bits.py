"""The bits of a tensor: what is hashed, stored and compared where equal means equal to the last bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

PIECE_BYTES = 8 << 20
"""Most bytes of a tensor that are copied at a time."""
_WHOLE_NUMBERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""By element size, the dtype in which equal bits are equal values."""


def plain(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor without its graph, and with the values that a conjugate or negative view stands for."""
    return tensor.detach().resolve_conj().resolve_neg().as_subclass(torch.Tensor)


def as_bytes(tensor: torch.Tensor) -> torch.Tensor:
    """The bytes of a contiguous tensor on the cpu, row-major, as uint8; no copy."""
    # a single element counts as contiguous whatever its stride is, and is viewed as bytes only with a stride of 1
    return tensor.as_strided((tensor.numel(),), (1,)).view(torch.uint8)


def same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two `plain` tensors of one shape, element size and device have the same bits, NaN among them.

    The bytes of what is contiguous on the cpu are compared by NumPy, several times faster than torch does.
    """
    if all(tensor.device.type == "cpu" and tensor.is_contiguous() for tensor in (one, other)):
        return np.array_equal(as_bytes(one).numpy(), as_bytes(other).numpy())
    whole = _WHOLE_NUMBERS[one.element_size()]
    return torch.equal(one.view(whole), other.view(whole))


def pieces(tensor: torch.Tensor) -> Iterator[memoryview]:
    """The bytes of a `plain` tensor, row-major, in pieces of at most `PIECE_BYTES`.

    What is contiguous on the cpu is not copied; of anything else, one piece at a time is.
    """
    for part in _parts(tensor):
        if part.numel():
            yield as_bytes(part.cpu().contiguous()).numpy().data


def _parts(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    most = max(1, PIECE_BYTES // tensor.element_size())
    if tensor.numel() <= most:
        yield tensor
    elif tensor.is_contiguous():
        yield from torch.split(tensor.view(-1), most)
    else:
        rows = max(1, most * len(tensor) // tensor.numel())
        for part in torch.split(tensor, rows):
            yield from _parts(part if len(part) > 1 else part[0])

"""The rows of a batch: the inputs of a run taken apart along their batch axis."""

from __future__ import annotations

import torch

from porting.copying import copied
from porting.runs import Inputs
from porting.trace import flatten


def rows_of(inputs: Inputs, valid: torch.Tensor | None = None) -> list[Inputs]:
    """The inputs of each row; tensors without a batch axis, or with one of length 1, go to every row.

    Args:
        inputs: whose tensors of two or more dimensions have the batch in axis 0.
        valid: the valid positions over (batch, sequence), which tell the batch, too.

    Raises:
        ValueError: there are no rows to take apart, or the shapes do not say which they are.
    """
    tensors = [leaf for _, leaf in flatten(inputs.named())[1] if isinstance(leaf, torch.Tensor)]
    lengths = {len(tensor) for tensor in tensors if tensor.dim() > 1}
    if valid is not None:
        lengths.add(len(valid))
    if lengths == {1}:
        raise ValueError("the batch has one row")
    if len(lengths - {1}) != 1:
        found = ", ".join(map(str, sorted(lengths))) or "none"
        raise ValueError(f"the inputs have no batch axis in common: the lengths of their first axes are {found}")
    (batch,) = lengths - {1}
    if any(tensor.shape == (batch,) for tensor in tensors) and any(batch in tensor.shape[1:] for tensor in tensors):
        raise ValueError(f"two axes of the inputs have length {batch}, and either may be the batch")
    return [_row(inputs, batch, number) for number in range(batch)]


def _row(inputs: Inputs, batch: int, number: int) -> Inputs:
    def part(tensor: torch.Tensor) -> torch.Tensor:
        return tensor[number : number + 1] if tensor.shape[:1] == (batch,) else tensor

    return Inputs(*copied((inputs.args, dict(inputs.kwargs)), part))

"""An explanation of one wrong tensor."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from porting.diagnosis.tensors.owned import Owned


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """Why a tensor of the port is not what it should be.

    Attributes:
        code: of the cause.
        tensor: the port's.
        summary: what is wrong, in one clause that begins with the tensor's name.
        fix: what to change.
        values: what it should hold, in its shape; None if that could not be found.
        apart: whether with these values its module no longer computes what its counterpart does, entry by entry.
    """

    code: str
    tensor: Owned
    summary: str
    fix: str
    values: torch.Tensor | None
    apart: bool = False
